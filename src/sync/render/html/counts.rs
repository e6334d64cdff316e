//! The counts on the page: a bar, and the numbers below it.

use maud::{Markup, html};

use super::{Page, changes};
use crate::{
    model::{counts::Counts, reason::Verdict, report::RunReport},
    sync::render::{summary::would, text::number},
};

/// Name, how many, the class of its colour, and whether it is shown when it is nothing.
fn counted(report: &RunReport) -> Vec<(&'static str, u64, &'static str)> {
    let c = &report.counts;
    let failed = report.reason.verdict() == Verdict::Failed;
    let change = |done, would_do| if would(report) { would_do } else { done };
    let all = [
        (change("added", "would be added"), c.added, "f-added", !failed),
        (change("updated", "would be updated"), c.updated, "f-updated", !failed),
        (change("removed", "would be removed"), c.removed, "f-removed", c.removed > 0 && !failed),
        (change("rejected", "would be rejected"), c.rejected, "f-rejected", c.rejected > 0 || !failed),
        ("unchanged", c.unchanged, "f-unchanged", !failed),
        (change("skipped", "would be skipped"), c.skipped, "f-skipped", c.skipped > 0 && !failed),
        ("left out by the filter", c.filtered, "f-filtered", c.filtered > 0),
    ];
    all.into_iter().filter(|(.., shown)| *shown).map(|(name, n, class, _)| (name, n, class)).collect()
}

/// How many rows there were, and what became of them.
pub fn section(page: &Page) -> Markup {
    let report = page.report;
    if report.counts == Counts::default() {
        return html! {};
    }
    let counted = counted(report);
    // Below a thousand changes nobody finds the rejected rows.
    let part = |class: &str| match class {
        "f-rejected" => (!page.kinds.is_empty()).then_some("#rejects"),
        "f-added" | "f-updated" | "f-removed" => changes::shown(page).then_some("#changes"),
        _ => None,
    };
    html! {
        section.card aria-labelledby="counts" {
            h2 id="counts" { (number(report.counts.read)) @if report.counts.read == 1 { " row read" } @else { " rows read" } }
            (bar(&counted))
            dl.tiles {
                @for (name, n, class) in &counted {
                    div {
                        dt { svg width="12" height="12" aria-hidden="true" { rect.(class) width="12" height="12" rx="3" {} }
                            @match part(class).filter(|_| *n > 0) { Some(part) => a href=(part) { (name) }, None => (name) }
                        }
                        dd { (number(*n)) }
                    }
                }
            }
        }
    }
}

/// How wide a bar is, in its own units.
const WIDTH: u64 = 1_000;
/// The narrowest part of it: what is there is seen.
const NARROWEST: u64 = 6;

/// The counts one beside the other. The numbers stand below it.
fn bar(counted: &[(&str, u64, &str)]) -> Markup {
    let parts: Vec<_> = counted.iter().filter(|(_, n, _)| *n > 0).collect();
    let all: u128 = parts.iter().map(|(_, n, _)| u128::from(*n)).sum::<u128>().max(1);
    let room = WIDTH.saturating_sub(NARROWEST * parts.len() as u64);
    let (mut at, last) = (0, parts.len().saturating_sub(1));
    html! {
        svg.bar viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true" {
            @for (index, (_, n, class)) in parts.iter().enumerate() {
                @let share = NARROWEST + u64::try_from(u128::from(*n) * u128::from(room) / all).unwrap_or(room);
                @let width = if index == last { WIDTH.saturating_sub(at) } else { share };
                rect.(class) x=(at) y="0" width=(width) height="16" {}
                ({ at += width; "" })
            }
        }
    }
}

//! The changes on the page: the first of them, with what filters and finds them.

use maud::{Markup, PreEscaped, Render, html};

use super::{Page, address};
use crate::{
    model::{
        reason::Verdict,
        report::{ChangeAction, SampleChange},
    },
    sync::render::{
        summary::would,
        text::{number, visible, visible_cut},
    },
};

/// How many changes the page holds.
const MOST: u64 = 1_000;
/// How many bytes of them: a thousand users with fifty long properties each would be a page that nobody can open.
const LARGEST: usize = 1 << 20;
/// The longest value, in characters.
const VALUE: usize = 200;
/// How many properties of one user are shown.
const PROPERTIES: usize = 40;

/// The first changes, as they are handed over: HTML of at most about a megabyte, whatever the run changes.
#[derive(Clone, Debug, Default)]
pub struct ChangeRows {
    html: String,
    shown: [u64; 3],
}

impl ChangeRows {
    /// Whether no more are wanted.
    pub fn full(&self) -> bool {
        self.count() >= MOST || self.html.len() >= LARGEST
    }

    /// Adds one, unless it is full.
    pub fn take(&mut self, change: &SampleChange) {
        if !self.full() {
            self.shown[change.action as usize] += 1;
            row(change).render_to(&mut self.html);
        }
    }

    /// How many it holds.
    fn count(&self) -> u64 {
        self.shown.iter().sum()
    }

    fn of(&self, action: ChangeAction) -> u64 {
        self.shown[action as usize]
    }
}

fn row(change: &SampleChange) -> Markup {
    let value = |value: &Option<String>| value.as_deref().map(|value| visible_cut(value, VALUE));
    let rest = change.properties.len().saturating_sub(PROPERTIES);
    html! {
        li class=(change.action.as_str()) {
            b { (change.action.as_str()) }
            span.who {
                bdi { (visible_cut(&change.user_id, VALUE)) }
                @if let Some(line) = change.line { " " span.at { "line " (number(line)) } }
            }
            @if !change.properties.is_empty() {
                dl {
                    @for (name, old, new) in change.properties.iter().take(PROPERTIES) {
                        div {
                            dt { bdi { (visible(name)) } }
                            dd {
                                del { @if let Some(old) = value(old) { (old) } @else { "(empty)" } }
                                " → "
                                ins { @if let Some(new) = value(new) { (new) } @else { "(empty)" } }
                            }
                        }
                    }
                    @if rest > 0 { div { dt { "and" } dd { (rest) " more" } } }
                }
            }
        }
    }
}

/// Whether there are changes to be shown.
pub fn shown(page: &Page) -> bool {
    page.changes.count() > 0 && page.report.reason.verdict() != Verdict::Failed
}

/// The changes' part of the page.
pub fn section(page: &Page) -> Markup {
    let (report, changes) = (page.report, page.changes);
    if !shown(page) {
        return html! {};
    }
    let counts = &report.counts;
    let all = counts.added + counts.updated + counts.removed;
    let file = page.file(|name| name == "changes.csv.gz");
    html! {
        section.card aria-labelledby="changes" {
            div.head {
                h2 id="changes" { @if would(report) { "What would change" } @else { "What changed" } }
                @if let Some(file) = file { a href=(address(file)) download { "Download all " (number(all)) } }
            }
            @if all > changes.count() {
                p.soft { "Here are the first " (number(changes.count())) " of " (number(all)) "; all of them are in the download." }
            }
            (tools(changes))
            p.said id="said" role="status" {}
            ul.list id="list" { (PreEscaped(&changes.html)) }
        }
    }
}

/// Shown by the script alone: without it there would be nothing to press them for.
fn tools(changes: &ChangeRows) -> Markup {
    let actions = [ChangeAction::Added, ChangeAction::Updated, ChangeAction::Removed];
    let kinds: Vec<_> = actions.into_iter().filter(|action| changes.of(*action) > 0).collect();
    html! {
        form.tools id="tools" role="search" hidden {
            @if kinds.len() > 1 {
                fieldset.chips {
                    legend.skip { "Which changes" }
                    label { input type="radio" name="kind" value="all" checked; "All " (number(changes.count())) }
                    @for kind in kinds {
                        label { input type="radio" name="kind" value=(kind.as_str()); (kind.as_str()) " " (number(changes.of(kind))) }
                    }
                }
            }
            span.find { input type="search" name="words" placeholder="Find a user or a value" aria-label="Find a user or a value" autocomplete="off"; }
        }
    }
}

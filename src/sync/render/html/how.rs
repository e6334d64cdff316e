//! How the run came to its end: file, mapping, safeguards, time.

use maud::{Markup, html};

use super::{Page, lines, moment};
use crate::{
    api::{EmptyCell, PropertyPolicy},
    model::{
        counts::Counts,
        job::{From, Limit, Property, Safeguards},
        reason::Verdict,
        report::Timings,
    },
    sync::render::text::{bytes, duration, number, visible},
};

/// The rest of the page.
pub fn sections(page: &Page) -> Markup {
    html! {
        @if judged(page) { div.two { (run(page)) div { (guard(page)) } } } @else { (run(page)) }
        (mapping(page))
        (timings(&page.report.timings))
    }
}

fn run(page: &Page) -> Markup {
    let (report, sync) = (page.report, page.sync);
    html! {
        section.card aria-labelledby="run" {
            h2 id="run" { "The run" }
            dl.facts {
                @if let Some(file) = &report.file {
                    dt { "File" } dd { bdi.code { (visible(&file.name)) } }
                    dt { "Size" } dd { (bytes(file.size)) @if let Some(rows) = file.rows { ", " (number(rows)) @if rows == 1 { " row" } @else { " rows" } } }
                    @if let Some(sha256) = &file.sha256 { dt { "SHA-256" } dd { bdi.code { (visible(sha256)) } } }
                }
                dt { "From" } dd { bdi.code { (visible(page.source)) } }
                dt { "Into table" } dd { bdi.code { (visible(&sync.target.table)) } }
                dt { "Action" } dd { (format!("{:?}, existing users: {:?}", sync.action, sync.conflict)) }
                dt { "Started" } dd { (moment(page)) }
                dt { "Took" } dd { (duration(report.timings.total)) }
                dt { "Ended as" } dd { code { (report.reason.as_str()) } }
            }
        }
    }
}

fn limit(limit: Limit) -> String {
    match limit {
        Limit::Count(count) => number(count),
        Limit::Percent(percent) if percent >= 100.0 => "off".to_owned(),
        Limit::Percent(percent) => format!("{percent}%"),
    }
}

/// Whether the safeguards were asked: of a run that came to no comparison nothing was judged.
fn judged(page: &Page) -> bool {
    page.report.reason.verdict() != Verdict::Failed && page.report.counts != Counts::default()
}

fn guard(page: &Page) -> Markup {
    let Safeguards { max_removals, max_emptied, max_rejected, max_updated, min_rows } = page.sync.safeguards;
    let guard = &page.report.guard;
    let counts = &page.report.counts;
    let breached = |name: &str| guard.reasons.iter().any(|reason| reason.contains(name));
    let all = [
        ("Users removed", "maxRemovals", Some(limit(max_removals)), guard.removals),
        ("Users who lose a value", "maxEmptied", Some(limit(max_emptied)), guard.emptied),
        ("Rows rejected", "maxRejected", Some(limit(max_rejected)), counts.rejected),
        ("Users updated", "maxUpdated", max_updated.map(limit), counts.updated),
        (
            "Rows that passed",
            "minRows",
            (!page.report.correction()).then(|| format!("at least {}", number(min_rows))),
            counts.read.saturating_sub(counts.filtered + counts.rejected),
        ),
    ];
    html! {
        section.card aria-labelledby="guard" {
            h2 id="guard" { "Safeguards" }
            div.wide role="group" aria-label="Safeguards, limits and what was found" tabindex="0" {
                table {
                    thead { tr { th scope="col" { "What" } th.num scope="col" { "Found" } th.num scope="col" { "Limit" } th scope="col" { "Verdict" } } }
                    tbody {
                        @for (what, name, limit, found) in all {
                            @if let Some(limit) = limit {
                                tr {
                                    th scope="row" { (what) }
                                    td.num { (number(found)) }
                                    td.num { (limit) }
                                    td { @if breached(name) { span.badge.bad { "held" } } @else if limit == "off" { span.soft { "not asked" } } @else { span.badge.good { "fine" } } }
                                }
                            }
                        }
                    }
                }
            }
            @if guard.held { ul.reasons { @for reason in &guard.reasons { li { bdi { (lines(reason, None)) } } } } }
        }
    }
}

fn mapping(page: &Page) -> Markup {
    let mapping = &page.sync.mapping;
    html! {
        section.card aria-labelledby="mapping" {
            h2 id="mapping" { "Mapping" }
            div.wide role="group" aria-label="Properties and columns" tabindex="0" {
                table {
                    thead { tr { th scope="col" { "Property" } th scope="col" { "From the file" } th scope="col" { "Rules" } } }
                    tbody {
                        (property(&mapping.user_id, Some("user id")))
                        @for one in &mapping.properties { (property(one, None)) }
                    }
                }
            }
            @if let Some(filter) = &mapping.filter { p { "Rows are taken where " bdi.code { (visible(filter)) } } }
        }
    }
}

fn property(property: &Property, first: Option<&str>) -> Markup {
    let mut rules: Vec<String> = first.map(str::to_owned).into_iter().collect();
    rules.extend(property.kind.map(|kind| format!("{kind:?}")));
    rules.extend(property.format.as_ref().map(|format| format!("as {}", visible(format))));
    rules.extend(property.required.then(|| "required".to_owned()));
    rules.extend(property.default.as_ref().map(|default| match property.sensitive {
        true => "has a default".to_owned(),
        false => format!("default {}", visible(default)),
    }));
    rules.extend((property.policy == PropertyPolicy::OnCreate).then(|| "only for new users".to_owned()));
    rules.extend(property.empty.map(|empty| match empty {
        EmptyCell::Keep => "an empty cell keeps the value".to_owned(),
        EmptyCell::Clear => "an empty cell empties it".to_owned(),
    }));
    rules.extend(property.sensitive.then(|| "sensitive: never shown".to_owned()));
    html! {
        tr {
            th scope="row" { bdi { (visible(&property.property)) } }
            td {
                @match &property.from {
                    From::Column(names) => @for (index, name) in names.iter().enumerate() { @if index > 0 { " or " } bdi { (visible(name)) } },
                    From::Expression(expression) => bdi.code { (visible(expression)) },
                }
            }
            td { (rules.join(", ")) }
        }
    }
}

/// Where the time went, up to the writing of this page.
fn timings(timings: &Timings) -> Markup {
    let steps = [
        ("Looking into the folder", timings.look),
        ("Fetching the file", timings.fetch),
        ("Reading it", timings.read),
        ("Comparing", timings.compare),
        ("Writing", timings.apply),
    ];
    let longest = steps.iter().map(|(_, seconds)| *seconds).fold(0.001, f64::max);
    html! {
        section.card aria-labelledby="timings" {
            h2 id="timings" { "Time" }
            table.time {
                thead { tr { th scope="col" { "Step" } th.num scope="col" { "Took" } td.tbar {} } }
                tbody {
                    @for (step, seconds) in steps.into_iter().filter(|(_, seconds)| *seconds > 0.0) {
                        tr {
                            th scope="row" { (step) }
                            td.num { (duration(seconds)) }
                            td.tbar { svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" { rect.f-time width=((seconds / longest * 1000.0).max(4.0).round()) height="10" rx="3" {} } }
                        }
                    }
                    tr { th scope="row" { "In all" } td.num { (duration(timings.total)) } td.tbar {} }
                }
            }
        }
    }
}

//! The rejected rows on the page, by what is wrong with them.

use maud::{Markup, html};

use super::{Page, address, lines};
use crate::{
    model::report::RejectKind,
    sync::render::{
        blocks::{Span, Words},
        summary::{reject_words, would},
        text::{number, visible, visible_cut},
    },
};

/// How many kinds the page holds.
const KINDS: usize = 30;
/// The longest name of a column, in characters.
const COLUMN: usize = 200;

/// The rejects' part of the page.
pub fn section(page: &Page) -> Markup {
    if page.kinds.is_empty() {
        return html! {};
    }
    let would = would(page.report);
    let file = page.file(|name| name.ends_with("_rejects.csv"));
    let rest = page.kinds.len().saturating_sub(KINDS);
    html! {
        section.card aria-labelledby="rejects" {
            div.head {
                h2 id="rejects" { @if would { "Rows that would be rejected" } @else { "Rejected rows" } }
                @if let Some(file) = file { a href=(address(file)) download { @if would { "Download them" } @else { "Download to correct" } } }
            }
            p.soft {
                "The download has these rows as they came. "
                @if would { "Correct them in the file itself, and put that in its place: nothing of it is imported yet." }
                @else { "Correct them there and put that file where the others come from: only these rows are imported then." }
            }
            @for kind in page.kinds.iter().take(KINDS) { (one(kind)) }
            @if rest > 0 { p.soft { "and " (rest) " more kinds of mistakes; each row has its own in the download" } }
        }
    }
}

fn one(kind: &RejectKind) -> Markup {
    let rest = kind.count.saturating_sub(kind.first.len() as u64);
    html! {
        details.kind.mixed open {
            summary {
                span.badge { (number(kind.count)) @if kind.count == 1 { " row" } @else { " rows" } } " "
                @if let Some(column) = &kind.column { bdi { (visible_cut(column, COLUMN)) } ": " }
                (kind.code.meaning())
            }
            p.soft { (lines(kind.code.cure(), None)) " " code { (kind.code.as_str()) } }
            ul { @for reject in &kind.first { li { (said(&reject_words("Line", reject))) } } }
            @if rest > 0 { p.soft { "and " (number(rest)) " more" } }
        }
    }
}

fn said(words: &Words) -> Markup {
    html! {
        @for span in &words.0 {
            @match span {
                Span::Text(ours) => (lines(ours, None)),
                Span::Strong(ours) => strong { (lines(ours, None)) },
                Span::Value(value) => bdi { (visible(value)) },
                Span::Code(code) => bdi.code { (visible(code)) },
            }
        }
    }
}

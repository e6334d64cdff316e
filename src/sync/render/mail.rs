//! A letter's blocks as HTML that mail programs leave alone: tables for the layout, a style on each element, no picture, no
//! address from which anything would be loaded. Colours for dark screens stand in the head, for programs that read it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    blocks::{Block, Count, CountKind, Span, Words},
    shown::{Shown, lines},
    text::{number, visible},
};
use crate::model::report::SampleChange;

/// How the whole is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    /// Done, but not all of it.
    Mixed,
    Bad,
    /// It waits for somebody, or only says what would be.
    Asking,
}

/// What the head says to programs that read it: phones, and screens that are dark.
const HEAD: &str = "\
:root{color-scheme:light dark;supported-color-schemes:light dark}
body{margin:0}
bdi{unicode-bidi:isolate}
@media (max-width:480px){.pad{padding-left:20px!important;padding-right:20px!important}.out{padding:0!important}.card{border-radius:0!important;border-left:0!important;border-right:0!important}}
@media (prefers-color-scheme:dark){
.page{background:#0d1117!important}
.card{background:#161b22!important;border-color:#30363d!important}
.ink{color:#e6edf3!important}
.soft{color:#9da7b3!important}
.rule{border-color:#30363d!important}
.well{background:#0d1117!important;border-color:#30363d!important;color:#e6edf3!important}
.good{color:#7ee2a8!important;background:#12301f!important}
.mixed{color:#f5cf7a!important;background:#3a2c08!important}
.bad{color:#ffb3ad!important;background:#431a1b!important}
.asking{color:#a9ccff!important;background:#152c4d!important}
.edge-good{border-top-color:#2f9e5f!important}
.edge-mixed{border-top-color:#d39e1f!important}
.edge-bad{border-top-color:#e5534b!important}
.edge-asking{border-top-color:#4c8dea!important}
}";

const FONT: &str = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;";
const CODE: &str = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:0.9em;";
const INK: &str = "color:#1b2530;";
const SOFT: &str = "color:#57616c;";

struct Paint {
    class: &'static str,
    edge_class: &'static str,
    /// Letters and ground of the badge.
    badge: &'static str,
    /// The line at the top.
    edge: &'static str,
}

impl Mood {
    const fn paint(self) -> Paint {
        let (class, edge_class, badge, edge) = match self {
            Self::Good => ("good", "edge-good", "color:#0f5c33;background:#dcf5e6;", "#1f8a4c"),
            Self::Mixed => ("mixed", "edge-mixed", "color:#6b4700;background:#fdf0cd;", "#c98a00"),
            Self::Bad => ("bad", "edge-bad", "color:#8f1d18;background:#fde4e2;", "#cf3b32"),
            Self::Asking => ("asking", "edge-asking", "color:#123f7d;background:#dfebfd;", "#2f6fd0"),
        };
        Paint { class, edge_class, badge, edge }
    }
}

/// The title, what kind of end it is in a word, and the blocks.
pub(super) fn document(title: &str, mood: Mood, blocks: &[Block], end: &str) -> String {
    let paint = mood.paint();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no";
                title { (visible(title)) }
                style { (PreEscaped(HEAD)) }
            }
            body.page style="margin:0;padding:0;background:#eef1f4;" {
                div role="main" {
                    table.page role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#eef1f4;" {
                        tr { td.out align="center" style="padding:24px 12px;" {
                            table.card.(paint.edge_class) role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"
                                style={"max-width:640px;background:#ffffff;border:1px solid #d5dbe1;border-top:5px solid " (paint.edge) ";border-radius:10px;border-collapse:separate;text-align:left;"} {
                                tr { td.pad style={"padding:28px 32px 30px 32px;" (FONT) "font-size:16px;line-height:1.5;" (INK)} {
                                    h1.ink style={"margin:0 0 14px 0;font-size:23px;line-height:1.3;font-weight:650;letter-spacing:-0.01em;overflow-wrap:anywhere;" (INK)} {
                                        bdi { (visible(title)) }
                                    }
                                    @for block in blocks { (one(block, &paint)) }
                                } }
                            }
                            table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:640px;" {
                                tr { td.pad.soft style={"padding:16px 32px 8px 32px;text-align:left;" (FONT) "font-size:13px;line-height:1.5;" (SOFT)} { (end) } }
                            }
                        } }
                    }
                }
            }
        }
    };
    markup.into_string()
}

fn one(block: &Block, paint: &Paint) -> Markup {
    match block {
        Block::Heading(heading) => html! {
            h2.ink.rule style={"margin:28px 0 10px 0;padding-top:18px;border-top:1px solid #e3e8ec;font-size:16px;line-height:1.4;font-weight:650;" (INK)} { (heading) }
        },
        Block::Para(words) => {
            html! { p.ink style={"margin:0 0 12px 0;overflow-wrap:anywhere;" (INK)} { (said(words)) } }
        }
        Block::Faint(words) => {
            html! { p.soft style={"margin:8px 0 0 0;font-size:14px;overflow-wrap:anywhere;" (SOFT)} { (said(words)) } }
        }
        Block::Notice(words) => html! {
            p.(paint.class) style={"margin:0 0 14px 0;padding:11px 14px;border-radius:7px;overflow-wrap:anywhere;" (paint.badge)} { (said(words)) }
        },
        Block::List(points) => html! {
            ul.ink style={"margin:0 0 12px 0;padding:0 0 0 22px;" (INK)} {
                @for point in points { li style="margin:0 0 8px 0;overflow-wrap:anywhere;" { (said(point)) } }
            }
        },
        Block::Steps(steps) => html! {
            ol.ink style={"margin:0 0 12px 0;padding:0 0 0 24px;" (INK)} {
                @for step in steps { li style="margin:0 0 8px 0;overflow-wrap:anywhere;" { (said(step)) } }
            }
        },
        Block::Command(command) => html! {
            p.well style={"margin:0 0 14px 0;padding:11px 14px;background:#f3f5f7;border:1px solid #dde3e8;border-radius:7px;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px;line-height:1.5;overflow-wrap:anywhere;word-break:break-word;" (INK)} { (visible(command)) }
        },
        Block::Facts(facts) => html! {
            table width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 4px 0;" {
                @for (name, words) in facts {
                    tr {
                        th.soft scope="row" align="left" valign="top" style={"padding:3px 16px 3px 0;font-size:14px;font-weight:400;white-space:nowrap;text-align:left;" (SOFT)} { (name) }
                        td.ink width="100%" valign="top" style={"padding:3px 0;font-size:14px;overflow-wrap:anywhere;word-break:break-word;" (INK)} { (said(words)) }
                    }
                }
            }
        },
        Block::Counts(counts) => self::counts(counts),
        Block::Changes(changes) => html! { @for change in changes { (self::change(change)) } },
    }
}

fn said(words: &Words) -> Markup {
    html! {
        @for span in &words.0 {
            @match span {
                Span::Text(ours) => (lines(ours, Some(CODE))),
                Span::Strong(ours) => strong { (lines(ours, Some(CODE))) },
                Span::Value(value) => bdi style="unicode-bidi:isolate;font-weight:600;" { (visible(value)) },
                Span::Code(code) => bdi style={"unicode-bidi:isolate;" (CODE)} { (visible(code)) },
            }
        }
    }
}

/// Colour of a count, on both grounds.
fn colour(kind: CountKind) -> &'static str {
    match kind {
        CountKind::Read => "#6b7680",
        CountKind::Added => "#2a9d5c",
        CountKind::Updated => "#3b7ddd",
        CountKind::Removed => "#d0453c",
        CountKind::Rejected => "#d59a17",
        CountKind::Quiet => "#aab4bd",
    }
}

/// A line for each count, with a bar beside it. A bar is a cell with a ground: what each mail program shows.
fn counts(counts: &[Count]) -> Markup {
    let most = counts.iter().map(|count| count.n).max().unwrap_or(1).max(1);
    html! {
        table width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 8px 0;" {
            @for count in counts {
                tr {
                    th.ink scope="row" align="left" style={"padding:4px 14px 4px 0;font-size:15px;font-weight:400;white-space:nowrap;text-align:left;" (INK)} { (count.name) }
                    td.ink align="right" style={"padding:4px 14px 4px 0;font-size:15px;font-weight:650;white-space:nowrap;text-align:right;font-variant-numeric:tabular-nums;" (INK)} { (number(count.n)) }
                    td width="100%" style="padding:4px 0;" aria-hidden="true" {
                        @if count.n > 0 {
                            div style={"height:10px;border-radius:3px;min-width:3px;line-height:10px;font-size:0;width:" (share(count.n, most)) "%;background:" (colour(count.kind)) ";"} {}
                        }
                    }
                }
            }
        }
    }
}

/// A share in whole per cent, and never nothing.
fn share(n: u64, most: u64) -> u64 {
    let share = u128::from(n) * 100 / u128::from(most.max(1));
    u64::try_from(share).unwrap_or(100).clamp(1, 100)
}

fn change(change: &SampleChange) -> Markup {
    let shown = Shown::of(change);
    let (class, badge) = match shown.action {
        "added" => ("good", "color:#0f5c33;background:#dcf5e6;"),
        "removed" => ("bad", "color:#8f1d18;background:#fde4e2;"),
        _ => ("asking", "color:#123f7d;background:#dfebfd;"),
    };
    html! {
        div.rule style="padding:9px 0;border-bottom:1px solid #e9edf0;" {
            div.ink style={"font-size:15px;overflow-wrap:anywhere;" (INK)} {
                span.(class) style={"display:inline-block;padding:1px 9px;margin-right:8px;border-radius:20px;font-size:12px;line-height:20px;" (badge)} { (shown.action) }
                " " bdi style="unicode-bidi:isolate;font-weight:600;" { (shown.user) }
                @if let Some(line) = &shown.line { " " span.soft style={"font-size:13px;white-space:nowrap;" (SOFT)} { " " (line) } }
            }
            @if !shown.properties.is_empty() {
                table width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:5px 0 0 0;" {
                    @for (name, old, new) in &shown.properties {
                        tr {
                            th.soft scope="row" align="left" valign="top" width="34%" style={"padding:2px 12px 2px 0;font-size:14px;font-weight:400;text-align:left;overflow-wrap:anywhere;word-break:break-word;" (SOFT)} { bdi { (name) } }
                            td.ink valign="top" style={"padding:2px 0;font-size:14px;overflow-wrap:anywhere;word-break:break-word;" (INK)} {
                                bdi.soft style={"unicode-bidi:isolate;" (SOFT)} { (old) }
                                " → "
                                bdi style="unicode-bidi:isolate;font-weight:600;" { (new) }
                            }
                        }
                    }
                }
            }
            @if let Some(more) = &shown.more { div.soft style={"font-size:13px;" (SOFT)} { (more) } }
        }
    }
}

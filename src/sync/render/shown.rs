//! What letters and pages show: one change, cut and with everything visible; texts of several lines; directions of writing.

use maud::{Markup, html};

use super::text::{number, visible_cut, visible_lines};
use crate::model::report::SampleChange;

/// The longest value, in characters.
const VALUE: usize = 60;
/// How many properties of one user are shown.
const PROPERTIES: usize = 8;

/// A changed user in words.
pub(super) struct Shown {
    /// `added`, `updated` or `removed`.
    pub action: &'static str,
    /// The match key.
    pub user: String,
    /// `line 1,003`
    pub line: Option<String>,
    /// Name, old, new.
    pub properties: Vec<(String, String, String)>,
    /// `and 3 more properties`
    pub more: Option<String>,
}

impl Shown {
    /// What is shown of a change.
    pub fn of(change: &SampleChange) -> Self {
        let shown = &change.properties[..change.properties.len().min(PROPERTIES)];
        let rest = change.properties.len() - shown.len();
        Self {
            action: change.action.as_str(),
            user: visible_cut(&change.user_id, VALUE),
            line: change.line.map(|line| format!("line {}", number(line))),
            properties: shown
                .iter()
                .map(|(name, old, new)| (visible_cut(name, VALUE), value(old), value(new)))
                .collect(),
            more: (rest > 0).then(|| format!("and {rest} more properties")),
        }
    }
}

fn value(value: &Option<String>) -> String {
    value.as_deref().map_or_else(|| "(empty)".to_owned(), |value| visible_cut(value, VALUE))
}

/// Our own text of perhaps several lines. What stands between two backticks is for a machine, and looks like that: the element has
/// this style where there is no style sheet.
pub(super) fn lines(text: &str, style: Option<&str>) -> Markup {
    let text = visible_lines(text);
    html! {
        @for (index, line) in text.split('\n').enumerate() {
            @if index > 0 { br; }
            @let pairs = line.matches('`').count() / 2 * 2;
            @for (index, part) in line.splitn(pairs + 1, '`').enumerate() {
                @if index % 2 == 1 { code style=[style] { (part) } } @else { (part) }
            }
        }
    }
}

/// The text between marks that keep its direction of writing to itself, if it has letters that are written from right to left
/// (Unicode's bidirectional algorithm, FSI and PDI).
pub(super) fn isolated(text: &str) -> String {
    let from_the_right = |c: char| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}')
    };
    if text.contains(from_the_right) { format!("\u{2068}{text}\u{2069}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_a_machine_looks_like_it() {
        for (text, style, want) in [
            ("`a.b: 1` allows <3>\nor not", None, "<code>a.b: 1</code> allows &lt;3&gt;<br>or not"),
            ("`a` and `b`", Some("x"), "<code style=\"x\">a</code> and <code style=\"x\">b</code>"),
            ("it`s `odd`", None, "it<code>s </code>odd`"),
            ("`", None, "`"),
        ] {
            assert_eq!(lines(text, style).into_string(), want);
        }
    }

    #[test]
    fn only_what_is_written_from_the_right_is_marked() {
        for (text, want) in
            [("Ann", "Ann"), ("Çem", "Çem"), ("שרה (2)", "\u{2068}שרה (2)\u{2069}"), ("a ب", "\u{2068}a ب\u{2069}")]
        {
            assert_eq!(isolated(text), want);
        }
    }
}

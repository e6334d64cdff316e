//! One change, as letters and pages show it: cut, and with everything visible.

use super::text::{number, visible_cut};
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
    fn only_what_is_written_from_the_right_is_marked() {
        for (text, want) in
            [("Ann", "Ann"), ("Çem", "Çem"), ("שרה (2)", "\u{2068}שרה (2)\u{2069}"), ("a ب", "\u{2068}a ب\u{2069}")]
        {
            assert_eq!(isolated(text), want);
        }
    }
}

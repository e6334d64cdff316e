//! A letter before it is text or HTML: one list of blocks of which both parts are made, so that they say the same.

use crate::model::report::SampleChange;

/// A piece of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// What comes now.
    Heading(&'static str),
    /// Sentences.
    Para(Words),
    /// Sentences that should be seen before all others.
    Notice(Words),
    /// Points in no order.
    List(Vec<Words>),
    /// Points to be done one after the other.
    Steps(Vec<Words>),
    /// A command to copy.
    Command(String),
    /// Names and what they stand for.
    Facts(Vec<(&'static str, Words)>),
    /// What was counted.
    Counts(Vec<Count>),
    /// The first changes.
    Changes(Vec<SampleChange>),
    /// What needs no attention.
    Faint(Words),
}

/// One line of the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    /// `added`, `would add`.
    pub name: &'static str,
    /// How many.
    pub n: u64,
    /// Which colour stands for it.
    pub kind: CountKind,
}

/// What a count is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CountKind {
    Read,
    Added,
    Updated,
    Removed,
    Rejected,
    /// Unchanged, skipped, filtered.
    Quiet,
}

/// Words of ours with strangers' values among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(pub Vec<Span>);

/// A stretch of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Ours.
    Text(String),
    /// Ours, and what the sentence is about.
    Strong(String),
    /// What a stranger wrote: shown as it is, but it moves nothing around it.
    Value(String),
    /// What a machine reads.
    Code(String),
}

impl Words {
    /// Words of ours.
    pub fn new(text: impl Into<String>) -> Self {
        Self::default().text(text)
    }

    /// Begins with a number or a word that matters.
    pub fn strong(text: impl Into<String>) -> Self {
        Self(vec![Span::Strong(cut(text.into(), OURS))])
    }

    /// Begins with a stranger's value.
    pub fn of(value: impl Into<String>) -> Self {
        Self::default().value(value)
    }

    /// And then words of ours.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Text(cut(text.into(), OURS)));
        self
    }

    /// And then a stranger's value.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.0.push(Span::Value(cut(value.into(), VALUE)));
        self
    }

    /// And then something for a machine.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.0.push(Span::Code(cut(code.into(), OURS)));
        self
    }

    /// And then what `more` says.
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }
}

/// The longest text of ours, in characters: what it quotes may be long.
const OURS: usize = 4_000;
/// The longest value, in characters.
const VALUE: usize = 300;

fn cut(mut text: String, longest: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
        text.push('…');
    }
    text
}

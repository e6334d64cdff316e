//! What people are told by mail: the words, before they become a message.

/// One mail. Text and HTML say the same; nothing in it is taken from anywhere else when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it is about, and so who gets it.
    pub kind: LetterKind,
    /// The subject: one line of at most 200 characters, without control or direction characters.
    pub subject: String,
    /// The text part: lines that end in LF.
    pub text: String,
    /// The HTML part: a whole document.
    pub html: String,
    /// What goes along.
    pub attachments: Vec<Attachment>,
}

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LetterKind {
    /// What a run did, for those who run the sync: `report.email.to`, `cc` and `bcc`.
    Summary,
    /// What is wrong with a file, for those who sent it: `report.email.failedImportTo`.
    FailedImport,
    /// Something is amiss without a run, for those who run the sync.
    Alert,
}

/// A file that goes along with a [`Letter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The staged file of the run's report folder.
    pub file: String,
    /// The name under which people get it: no path, no control or direction characters.
    pub name: String,
    /// It is too large to go along: only its first rows do, which `sync::render::attachment` cuts off.
    pub cut: bool,
}

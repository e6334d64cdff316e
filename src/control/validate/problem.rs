//! What is wrong in a manifest, and where.

use std::fmt;

/// A place in a manifest file; both numbers count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One thing that is wrong in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as it was given; `-` is standard input.
    pub file: String,
    /// Where in it.
    pub position: Position,
    /// The field's path, such as `spec.source.sftp.port`; empty when the document as a whole is meant.
    pub field: String,
    /// What is wrong, why, and how to mend it. No secret.
    pub message: String,
}

impl fmt::Display for Problem {
    /// `FILE:LINE:COLUMN: field: message`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.position.line, self.position.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// A problem at a field, before it is known where the field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The field's path.
    pub field: String,
    /// Whether the field's name is to blame, not its value.
    pub at_key: bool,
    /// What, why, how to mend.
    pub message: String,
}

impl Finding {
    /// A finding at the field's value.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), at_key: false, message: message.into() }
    }

    /// A finding at the field's name.
    pub fn at_key(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), at_key: true, message: message.into() }
    }
}

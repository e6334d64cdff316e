//! What writing rows needs, whatever becomes of them: a savepoint kept or undone, statements of many rows each.

use super::{
    super::{
        super::bisect::{Outcome, Refusal},
        errors,
        shape::CHUNK,
    },
    Transaction,
};
use crate::ports::StoreError;

/// SQLite's limit of variables in a statement.
const VARIABLES: usize = 32_766;

/// Why an attempt went no further.
pub(super) enum Halt {
    /// The row itself, before the database was asked.
    Refused(Refusal),
    /// The database's word, not yet judged.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Halt {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Halt {
    pub(super) fn refused(message: String) -> Self {
        Self::Refused(Refusal::for_good(message))
    }
}

impl Transaction {
    /// Keeps what was written since the savepoint, or undoes it.
    pub(super) async fn settle(&mut self, written: Result<(), Halt>) -> Result<Outcome, StoreError> {
        let refusal = match written {
            Ok(()) => {
                self.run("release attempt").await?;
                return Ok(Outcome::Applied);
            }
            Err(Halt::Refused(refusal)) => refusal,
            Err(Halt::Database(error)) => match errors::refusal(&error, &self.shape.foreign_keys) {
                Some(refusal) => refusal,
                None => return Err(self.fatal(&error)),
            },
        };
        self.run("rollback to attempt").await?;
        self.run("release attempt").await?;
        Ok(Outcome::Refused(refusal))
    }

    /// A trigger may leave a row out without a word.
    pub(super) fn expect(done: u64, rows: usize) -> Result<(), Halt> {
        if done == rows as u64 {
            return Ok(());
        }
        Err(Halt::refused("a trigger of the table leaves the row out".to_owned()))
    }
}

/// How many rows of that width fit into one statement.
pub(super) fn rows_per_statement(width: usize) -> usize {
    (VARIABLES / width.max(1)).saturating_sub(1).clamp(1, CHUNK)
}

/// `(?, ?), (?, ?)`: rows of that width.
pub(super) fn tuples(width: usize, rows: usize) -> String {
    let tuple = format!("({})", vec!["?"; width].join(", "));
    vec![tuple.as_str(); rows].join(", ")
}

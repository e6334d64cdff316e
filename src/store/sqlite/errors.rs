//! SQLite's errors in the words of the port.

use std::path::Path;

use super::super::bisect::Refusal;
use crate::ports::StoreError;

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
mod code {
    pub const ERROR: i32 = 1;
    pub const PERM: i32 = 3;
    pub const BUSY: i32 = 5;
    pub const LOCKED: i32 = 6;
    pub const READONLY: i32 = 8;
    pub const IOERR: i32 = 10;
    pub const CORRUPT: i32 = 11;
    pub const FULL: i32 = 13;
    pub const CANTOPEN: i32 = 14;
    pub const TOOBIG: i32 = 18;
    pub const CONSTRAINT: i32 = 19;
    pub const MISMATCH: i32 = 20;
    pub const AUTH: i32 = 23;
    pub const NOTADB: i32 = 26;
}

/// Extended codes of [`code::CONSTRAINT`].
mod constraint {
    pub const FOREIGN_KEY: i32 = 787;
    pub const NOT_NULL: i32 = 1299;
    pub const PRIMARY_KEY: i32 = 1555;
    pub const TRIGGER: i32 = 1811;
    pub const UNIQUE: i32 = 2067;
    pub const ROWID: i32 = 2579;
}

/// The extended code and the message, where the error came from SQLite.
fn database(error: &sqlx::Error) -> Option<(i32, &str)> {
    let error = error.as_database_error()?;
    Some((error.code()?.parse().ok()?, error.message()))
}

/// What an error that ends the work means. `path` is the database's file.
pub fn fatal(path: &Path, error: &sqlx::Error) -> StoreError {
    let path = path.display();
    let Some((code, message)) = database(error) else {
        return StoreError::Failed(format!("SQLite database {path}: {error}"));
    };
    match code & 0xff {
        code::BUSY | code::LOCKED => StoreError::Busy(format!(
            "SQLite database {path} is locked by another program: wait for it, or raise target.timeouts.lock"
        )),
        code::READONLY | code::PERM | code::AUTH => StoreError::Denied(format!(
            "SQLite database {path} can't be written ({message}): the file and its folder must be writable"
        )),
        code::CANTOPEN => StoreError::Denied(format!(
            "SQLite database {path} can't be opened: the file must be readable and its folder writable, for the journal"
        )),
        code::CORRUPT => StoreError::Invalid(format!(
            "SQLite database {path} is damaged ({message}): restore it from a backup, or see `sqlite3 FILE .recover`"
        )),
        code::NOTADB => StoreError::Invalid(format!(
            "{path} is not an SQLite database (or it is encrypted): check the path in target.url"
        )),
        code::FULL => StoreError::Unreachable(format!(
            "SQLite database {path}: the disk is full. Free space on it; nothing of this run was kept"
        )),
        code::IOERR => {
            StoreError::Failed(format!("SQLite database {path}: reading or writing failed ({message}): check the disk"))
        }
        code::ERROR if message.starts_with("no such ") || message.contains("has no column") => {
            StoreError::Invalid(format!("SQLite database {path}: {message}: the table was changed meanwhile"))
        }
        _ => StoreError::Failed(format!("SQLite database {path}: {message}")),
    }
}

/// Whether somebody else has the lock.
pub fn is_busy(error: &sqlx::Error) -> bool {
    database(error).is_some_and(|(code, _)| matches!(code & 0xff, code::BUSY | code::LOCKED))
}

/// The columns of the unique key that a row broke, without the table's name; None if the error is another one.
pub fn broken_key(error: &sqlx::Error) -> Option<Vec<&str>> {
    let (code, message) = database(error)?;
    if !matches!(code, constraint::UNIQUE | constraint::PRIMARY_KEY | constraint::ROWID) {
        return None;
    }
    Some(failed(message)?.split(", ").map(column).collect())
}

/// Whether a foreign key was broken.
pub fn is_foreign_key(error: &sqlx::Error) -> bool {
    database(error).is_some_and(|(code, _)| code == constraint::FOREIGN_KEY)
}

/// What the database says of rows that it does not take; None if the error is none of theirs.
pub fn refusal(error: &sqlx::Error, foreign_keys: &str) -> Option<Refusal> {
    let (code, message) = database(error)?;
    let unique = matches!(code, constraint::UNIQUE | constraint::PRIMARY_KEY | constraint::ROWID);
    let (message, mendable) = match (code, code & 0xff) {
        (constraint::UNIQUE | constraint::PRIMARY_KEY | constraint::ROWID, _) => {
            let columns: Vec<&str> = failed(message)?.split(", ").map(column).collect();
            (format!("another user has the same {} (unique)", columns.join(", ")), true)
        }
        (constraint::NOT_NULL, _) => (format!("{} must not be empty (not null)", column(failed(message)?)), false),
        (constraint::FOREIGN_KEY, _) => (format!("the foreign key {foreign_keys} is not kept"), true),
        (constraint::TRIGGER, _) => (format!("the table's trigger says: {message}"), false),
        (_, code::CONSTRAINT) => (format!("the database refuses the row: {message}"), false),
        (_, code::MISMATCH) => ("the value is not of its column's type".to_owned(), false),
        (_, code::TOOBIG) => ("the row is larger than SQLite allows".to_owned(), false),
        _ => return None,
    };
    Some(Refusal { message, mendable, unique })
}

/// `users.email` in `UNIQUE constraint failed: users.email`.
fn failed(message: &str) -> Option<&str> {
    message.split_once("constraint failed: ").map(|(_, what)| what)
}

/// `email` in `users.email`.
fn column(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, column)| column)
}

//! Where the database file is, and connections to it.

use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use rustix::io::Errno;
use sqlx::{
    ConnectOptions, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use super::errors::fatal;
use crate::{beneath, ports::StoreError};

/// A database file and how it is opened.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is made when it is missing.
    create: bool,
    /// Whether it is opened for reading only.
    read_only: bool,
    /// The folder in which it must lie, without a link.
    pub beneath: Option<PathBuf>,
    /// Whether it is ours alone: made so that no other account can read it.
    private: bool,
    /// How long to wait for a lock.
    lock: Duration,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is changed.
    Read,
    /// The one writer, while it has the lock.
    Write,
}

impl File {
    /// The file of a `sqlite:` URL: a path, and `mode` (`ro`, `rw`, `rwc`) behind a `?`.
    pub fn from_url(url: &str, lock: Duration) -> Result<Self, StoreError> {
        let invalid = |why: &str| StoreError::Invalid(format!("target.url: {why}"));
        let rest = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
        let rest = rest.ok_or_else(|| invalid("an SQLite URL begins with `sqlite:`"))?;
        let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut create, mut read_only) = (false, false);
        for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
            match parameter {
                "mode=rw" => {}
                "mode=rwc" => create = true,
                "mode=ro" => read_only = true,
                "mode=memory" => return Err(invalid("a database in memory would be lost at the end: give a file")),
                _ => {
                    return Err(invalid(
                        "an SQLite URL has no parameter but `mode=ro`, `mode=rw` (default) or `mode=rwc`",
                    ));
                }
            }
        }
        match path {
            "" => return Err(invalid("the path of the SQLite file is missing: `sqlite:users.db`")),
            ":memory:" => return Err(invalid("a database in memory would be lost at the end: give a file")),
            _ => {}
        }
        // Undoes percent encoding as everybody does who reads such URLs by sqlx.
        let options = SqliteConnectOptions::from_str(&format!("sqlite:{path}"))
            .map_err(|_| invalid("the path of the SQLite file is not UTF-8"))?;
        let path = std::path::absolute(options.get_filename())
            .map_err(|error| invalid(&format!("the path of the SQLite file can't be used: {error}")))?;
        Ok(Self { path, create, read_only, private: false, beneath: None, lock })
    }

    /// A file that is made when something is to be written.
    pub fn embedded(path: &Path, lock: Duration) -> Self {
        Self { path: path.to_owned(), create: true, read_only: false, private: true, beneath: None, lock }
    }

    /// Whether there is such a file.
    fn exists(&self, place: &Path) -> Result<bool, StoreError> {
        let path = self.path.display();
        match std::fs::metadata(place) {
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(StoreError::Invalid(format!("{path} is no file: give the path of an SQLite file"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::Denied(format!("SQLite database {path} can't be opened: {error}"))),
        }
    }

    /// Makes the file if it is missing. An empty one is a new database to SQLite, and its journal gets the same mode.
    fn make_private(&self) -> Result<(), StoreError> {
        match std::fs::File::options().write(true).create_new(true).mode(0o600).open(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(StoreError::Denied(format!("SQLite database {} can't be made: {error}", self.path.display())))
            }
            _ => Ok(()),
        }
    }

    /// The path that SQLite is given: with `beneath`, one that has no link in it.
    fn place(&self) -> Result<PathBuf, StoreError> {
        let Some(root) = &self.beneath else { return Ok(self.path.clone()) };
        beneath::file(&self.path, root).map_err(|errno| match errno {
            Errno::XDEV => self.outside(),
            Errno::LOOP => StoreError::Denied(format!(
                "SQLite database {} is a link, and links are not followed: use the file itself",
                self.path.display()
            )),
            Errno::NOENT | Errno::NOTDIR => StoreError::Invalid(format!(
                "the folder of SQLite database {} does not exist: make it",
                self.path.display()
            )),
            other => StoreError::Denied(format!("SQLite database {} can't be opened: {other}", self.path.display())),
        })
    }

    fn outside(&self) -> StoreError {
        StoreError::Denied(format!(
            "SQLite database {} must lie directly in {}, the only folder that this namespace may use, with no link on the way",
            self.path.display(),
            self.beneath.as_deref().unwrap_or(Path::new("/")).display()
        ))
    }

    /// Sees that SQLite, which follows links as it finds them, has opened what it was given.
    async fn no_other(&self, connection: &mut SqliteConnection, given: &Path) -> Result<(), StoreError> {
        let opened = sqlx::query_scalar::<_, String>("select file from pragma_database_list where name = 'main'");
        let opened = opened.fetch_one(connection).await.map_err(|error| self.fatal(&error))?;
        if Path::new(&opened) == given { Ok(()) } else { Err(self.outside()) }
    }

    /// A connection; None where there is no file and `access` makes none.
    pub async fn connect(&self, access: Access) -> Result<Option<SqliteConnection>, StoreError> {
        let place = self.place()?;
        if !self.exists(&place)? && !self.may_create(access)? {
            return Ok(None);
        }
        if self.private && access == Access::Write {
            self.make_private()?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&place)
            .create_if_missing(access == Access::Write && self.create)
            .read_only(self.read_only)
            // Longer than any sqlx takes would panic there.
            .busy_timeout(self.lock.min(Duration::from_secs(24 * 3600)))
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            // Needs no folder for temporary files; they are small here.
            .pragma("temp_store", "memory")
            // In KiB. Reading goes through the file once: what was read is not needed again.
            .pragma("cache_size", if access == Access::Read { "-2048" } else { "-8192" })
            .pragma("query_only", if access == Access::Read { "on" } else { "off" })
            .row_buffer_size(512)
            // Statements may show values in constraint messages, and reports say what was done.
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| self.fatal(&error))?;
        if self.beneath.is_some() {
            self.no_other(&mut connection, &place).await?;
        }
        Ok(Some(connection))
    }

    fn may_create(&self, access: Access) -> Result<bool, StoreError> {
        let path = self.path.display();
        if !self.create {
            return Err(StoreError::Invalid(format!(
                "there is no SQLite database {path}: check the path in target.url (`?mode=rwc` behind it makes the file)"
            )));
        }
        if access == Access::Read {
            return Ok(false);
        }
        if !self.path.parent().is_some_and(Path::is_dir) {
            return Err(StoreError::Invalid(format!("the folder of SQLite database {path} does not exist: make it")));
        }
        Ok(true)
    }

    /// What an error that ends the work means.
    pub fn fatal(&self, error: &sqlx::Error) -> StoreError {
        fatal(&self.path, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let file = |url: &str| File::from_url(url, Duration::from_secs(1));
        for url in ["sqlite:/data/users.db", "sqlite:///data/users.db", "sqlite:/data/us%65rs.db?mode=rw"] {
            assert_eq!(file(url).unwrap().path, Path::new("/data/users.db"), "{url}");
        }
        assert!(file("sqlite:/a?mode=ro").unwrap().read_only);
        assert!(file("sqlite:/a?mode=rwc").unwrap().create);
        for url in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:/a?mode=memory",
            "sqlite:",
            "sqlite:/a?cache=shared",
            "mysql:/a",
        ] {
            assert!(matches!(file(url), Err(StoreError::Invalid(_))), "{url}");
        }
    }
}

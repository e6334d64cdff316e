//! Sessions: how to get in, and the settings that every statement may rely on.

use std::{sync::Arc, time::Duration};

use futures::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Connection, MySqlConnection, Row as _,
    mysql::{MySqlConnectOptions, MySqlRow, MySqlSslMode},
};

use super::{error, name::Name, sql::literal, url};
use crate::{
    model::{job::TargetTimeouts, secret::Secret},
    ports::StoreError,
};

/// How much longer than the server itself we wait for the end of a statement: then the line is dead.
const MARGIN: Duration = Duration::from_secs(30);

/// Bytes after which a statement of many rows is sent.
const STATEMENT: usize = 1 << 20;

/// Where the database is, and how to get in.
#[derive(Clone)]
pub struct Server {
    options: MySqlConnectOptions,
    timeouts: TargetTimeouts,
    name: Name,
}

impl Server {
    /// Reads the URL.
    pub fn new(url: &Secret, ca_bundle: Option<&str>, timeouts: TargetTimeouts) -> Result<Self, StoreError> {
        let (options, name) = url::read(url.expose(), ca_bundle)?;
        Ok(Self { options, timeouts, name })
    }

    /// A new session with our settings.
    pub async fn connect(&self) -> Result<Session, StoreError> {
        let conn = match tokio::time::timeout(self.timeouts.connect, self.establish()).await {
            Ok(Ok(conn)) => conn,
            Ok(Err(e)) => return Err(error::login(&self.name, &e)),
            Err(_) => {
                let seconds = self.timeouts.connect.as_secs_f64();
                return Err(StoreError::Unreachable(format!(
                    "{}: no answer within {seconds} s (target.timeouts.connect)",
                    self.name
                )));
            }
        };
        let line = Line { name: Arc::new(self.name.clone()), wait: self.timeouts.statement + MARGIN };
        let mut session = Session { conn, line, account: String::new(), packet: 0, mariadb: false };
        session.learn().await?;
        let settings = self.settings(&session);
        session.run("set up the session", "", &settings).await?;
        let isolation = session.isolation().await?;
        let isolation = format!("set session transaction isolation level {isolation}");
        session.run("set up the session", "", &isolation).await?;
        Ok(session)
    }

    async fn establish(&self) -> Result<MySqlConnection, sqlx::Error> {
        match MySqlConnection::connect_with(&self.options).await {
            // MySQL 8 takes a password that it hasn't cached over TLS alone, also on this machine's own socket.
            Err(sqlx::Error::Configuration(_)) if self.options.get_socket().is_some() => {
                MySqlConnection::connect_with(&self.options.clone().ssl_mode(MySqlSslMode::Required)).await
            }
            connected => connected,
        }
    }

    /// The settings of a session. Strict for every engine, so that no value is cut or bent without a word; no checks are
    /// off, whatever the server's defaults say.
    fn settings(&self, session: &Session) -> String {
        let seconds = |d: Duration| d.as_secs_f64().ceil().clamp(1.0, 31_536_000.0) as u64;
        let (lock, statement) = (seconds(self.timeouts.lock), self.timeouts.statement);
        let limit = if session.mariadb {
            format!("max_statement_time = {:.3}, idle_transaction_timeout = 0", statement.as_secs_f64())
        } else {
            // Of queries alone: MySQL has no limit for statements that write.
            format!("max_execution_time = {}", statement.as_millis().clamp(1, 4_000_000_000))
        };
        format!(
            "set names utf8mb4; set session sql_mode = \
             'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', \
             time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, \
             sql_select_limit = 18446744073709551615, sql_auto_is_null = 0, innodb_lock_wait_timeout = {lock}, \
             lock_wait_timeout = {lock}, wait_timeout = 28800, net_read_timeout = 3600, net_write_timeout = 3600, {limit}"
        )
    }
}

/// A connection, with the words for its errors.
pub struct Session {
    /// The connection itself.
    pub conn: MySqlConnection,
    /// The words.
    pub line: Line,
    /// Who we are to the server, as `grant` names it.
    pub account: String,
    /// Bytes that the server takes in one statement.
    pub packet: usize,
    /// MariaDB, and not MySQL.
    pub mariadb: bool,
}

/// Waits for statements and words their errors.
#[derive(Clone)]
pub struct Line {
    /// What messages may say of the connection.
    pub name: Arc<Name>,
    wait: Duration,
}

impl Line {
    /// Waits for a statement. `what` completes "can't …"; `grant` is the statement that gives the right to do it.
    pub async fn wait<T>(
        &self,
        what: &str,
        grant: &str,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        self.plain(statement).await.map_err(|e| self.error(what, grant, &e))
    }

    /// Waits for a statement and hands on its error as it is. A server that is silent for longer than the statement's own
    /// timeout is gone.
    pub async fn plain<T>(&self, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        match tokio::time::timeout(self.wait, statement).await {
            Ok(result) => result,
            Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// The error in our words.
    pub fn error(&self, what: &str, grant: &str, e: &sqlx::Error) -> StoreError {
        error::statement(&self.name, what, grant, e)
    }
}

impl Session {
    /// What the server is and whom it takes us for.
    async fn learn(&mut self) -> Result<(), StoreError> {
        let sql = "select version(), current_user(), @@session.max_allowed_packet";
        let row = self.row("ask for the server's version", "", sql).await?;
        let [version, account, packet] = [0, 1, 2].map(|at| row.as_ref().and_then(|row| text(row, at)));
        self.mariadb = version.is_some_and(|version| version.contains("MariaDB"));
        let (user, host) = account.unwrap_or_default().rsplit_once('@').unwrap_or_default();
        self.account = format!("{}@{}", literal(user), literal(host));
        self.packet = packet.and_then(|packet| packet.parse().ok()).unwrap_or(1 << 20);
        let name = Name { product: if self.mariadb { "MariaDB" } else { "MySQL" }, ..Name::clone(&self.line.name) };
        self.line.name = Arc::new(name);
        Ok(())
    }

    /// READ COMMITTED, which locks the least; where the binary log keeps statements, InnoDB refuses to write under it.
    async fn isolation(&mut self) -> Result<&'static str, StoreError> {
        let sql = "select @@log_bin and @@session.binlog_format = 'STATEMENT'";
        let row = self.row("ask for the binary log", "", sql).await?;
        let statements = row.as_ref().and_then(|row| text(row, 0)) == Some("1");
        Ok(if statements { "repeatable read" } else { "read committed" })
    }

    /// Runs statements. How many rows they wrote: those found, changed or not.
    pub async fn run(&mut self, what: &str, grant: &str, sql: &str) -> Result<u64, StoreError> {
        self.run_plain(sql).await.map_err(|e| self.line.error(what, grant, &e))
    }

    /// As [`Session::run`], with the database's own error.
    pub async fn run_plain(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let Self { conn, line, .. } = self;
        line.plain(sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn)).await.map(|done| done.rows_affected())
    }

    /// All rows of a query: few.
    pub async fn rows(&mut self, what: &str, grant: &str, sql: &str) -> Result<Vec<MySqlRow>, StoreError> {
        let Self { conn, line, .. } = self;
        line.wait(what, grant, sqlx::raw_sql(AssertSqlSafe(sql)).fetch(conn).try_collect()).await
    }

    /// The first row of a query.
    pub async fn row(&mut self, what: &str, grant: &str, sql: &str) -> Result<Option<MySqlRow>, StoreError> {
        Ok(self.rows(what, grant, sql).await?.into_iter().next())
    }

    /// How large a statement of many rows becomes, about.
    pub fn statement_size(&self) -> usize {
        (self.packet / 4).clamp(1 << 12, STATEMENT)
    }

    /// How large the text of one row may be, so that the server takes it with what stands around it.
    pub fn row_limit(&self) -> usize {
        self.packet.saturating_sub(self.packet / 4 + (1 << 12))
    }

    /// Statements that begin with `head` and list these rows, as many in each as it takes.
    pub fn statements(&self, head: &str, rows: impl Iterator<Item = String>) -> Vec<String> {
        let (mut statements, mut sql) = (Vec::new(), head.to_owned());
        for row in rows {
            if sql.len() > head.len() {
                sql.push(',');
            }
            sql.push_str(&row);
            if sql.len() > self.statement_size() {
                statements.push(std::mem::replace(&mut sql, head.to_owned()));
            }
        }
        if sql.len() > head.len() {
            statements.push(sql);
        }
        statements
    }

    /// Whether the connection still stands.
    pub async fn alive(&mut self) -> bool {
        let Self { conn, .. } = self;
        tokio::time::timeout(Duration::from_secs(5), conn.ping()).await.is_ok_and(|answer| answer.is_ok())
    }
}

/// A cell as the server printed it; None for NULL.
pub fn bytes(row: &MySqlRow, at: usize) -> Option<&[u8]> {
    row.try_get_unchecked::<Option<&[u8]>, _>(at).ok().flatten()
}

/// A cell of text; None for NULL, and for text that is not UTF-8.
pub fn text(row: &MySqlRow, at: usize) -> Option<&str> {
    bytes(row, at).and_then(|cell| std::str::from_utf8(cell).ok())
}

/// A cell of text; nothing for NULL.
pub fn word(row: &MySqlRow, at: usize) -> String {
    text(row, at).unwrap_or_default().to_owned()
}

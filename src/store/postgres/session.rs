//! Sessions: where the database is, how to get in, and the settings that every statement may rely on.

use std::{sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::{error, name::Name};
use crate::{
    model::{job::TargetTimeouts, secret::Secret},
    ports::StoreError,
};

/// What a URL may say behind its question mark. An unknown word is refused by its name, so that no value is ever logged.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// How much longer than the server itself we wait for the end of a statement: then the line is dead.
const MARGIN: Duration = Duration::from_secs(30);

/// Where the database is, and how to get in.
#[derive(Clone)]
pub struct Server {
    options: PgConnectOptions,
    timeouts: TargetTimeouts,
    /// Which database, in words.
    pub name: Arc<Name>,
}

impl Server {
    /// Reads the URL. Without `sslmode` in it, a server that is not this machine must show a certificate that verifies.
    /// Password and `sslmode` come from the URL alone, never from the environment or a `.pgpass`.
    pub fn new(url: &Secret, ca_bundle: Option<&str>, timeouts: TargetTimeouts) -> Result<Self, StoreError> {
        let url = url.expose();
        let form = || {
            StoreError::Invalid(
                "target.url is no PostgreSQL URL: it must look like \
                 postgres://USER:PASSWORD@HOST:5432/DATABASE, with % codes for special characters"
                    .to_owned(),
            )
        };
        let rest = ["postgres://", "postgresql://"].iter().find_map(|s| url.strip_prefix(s)).ok_or_else(form)?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let keys: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
        for key in keys.iter().filter(|key| !key.is_empty()) {
            if !PARAMETERS.contains(key) && !key.starts_with("options[") {
                return Err(StoreError::Invalid(format!("target.url has an unknown parameter {key}")));
            }
        }
        let login = authority.split('/').next().and_then(|a| a.rsplit_once('@')).map_or("", |(login, _)| login);
        let mut options: PgConnectOptions = url.parse().map_err(|_| form())?;
        if !login.contains(':') && !keys.contains(&"password") {
            options = options.password("");
        }
        let bare = options.get_host().trim_matches(['[', ']']).to_owned();
        options = options.host(&bare).application_name("usersync").disable_statement_logging();
        let socket = options.get_socket().map(|path| path.display().to_string());
        let host = socket.unwrap_or(bare);
        if !keys.contains(&"sslmode") && !keys.contains(&"ssl-mode") {
            let mode = default_mode(&host);
            // Whoever names an authority wants it asked, on this machine as well.
            let asked = ca_bundle.is_some() && matches!(mode, PgSslMode::Prefer);
            options = options.ssl_mode(if asked { PgSslMode::VerifyFull } else { mode });
        }
        if let Some(bundle) = ca_bundle {
            options = options.ssl_root_cert_from_pem(bundle.as_bytes().to_vec());
        }
        let name = Name {
            host,
            port: options.get_port(),
            database: options.get_database().unwrap_or(options.get_username()).to_owned(),
            user: options.get_username().to_owned(),
        };
        Ok(Self { options, timeouts, name: Arc::new(name) })
    }

    /// A new session with our settings.
    pub async fn connect(&self) -> Result<Session, StoreError> {
        let connecting = PgConnection::connect_with(&self.options);
        let conn = match tokio::time::timeout(self.timeouts.connect, connecting).await {
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
        let wait = self.timeouts.statement + MARGIN;
        let mut session = Session { conn, line: Line { name: self.name.clone(), wait } };
        session.run("set up the session", "", &self.settings()).await?;
        Ok(session)
    }

    /// The settings of a session. `synchronous_commit` is never weaker than a commit that survives a crash: the file is
    /// archived on the strength of it.
    fn settings(&self) -> String {
        let millis = |d: Duration| d.as_millis().clamp(1, i32::MAX as u128);
        format!(
            "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'iso_8601'; \
             set extra_float_digits = 3; set bytea_output = 'hex'; set standard_conforming_strings = on; \
             set client_min_messages = 'warning'; set application_name = 'usersync'; \
             set idle_in_transaction_session_timeout = 0; set statement_timeout = {}; set lock_timeout = {}; \
             select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'; \
             select set_config(name, '5s', false) from pg_catalog.pg_settings \
             where name = 'client_connection_check_interval'",
            millis(self.timeouts.statement),
            millis(self.timeouts.lock),
        )
    }
}

/// The TLS mode where the URL says nothing.
fn default_mode(host: &str) -> PgSslMode {
    if host.starts_with('/') {
        PgSslMode::Disable
    } else if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        PgSslMode::Prefer
    } else {
        PgSslMode::VerifyFull
    }
}

/// A connection, with the words for its errors.
pub struct Session {
    /// The connection itself.
    pub conn: PgConnection,
    /// The words.
    pub line: Line,
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
    /// Runs statements without parameters. The last one's number of rows.
    pub async fn run(&mut self, what: &str, grant: &str, sql: &str) -> Result<u64, StoreError> {
        let Self { conn, line } = self;
        line.wait(what, grant, sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn)).await.map(|done| done.rows_affected())
    }

    /// As [`Session::run`], with the database's own error.
    pub async fn run_plain(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let Self { conn, line } = self;
        line.plain(sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn)).await.map(|done| done.rows_affected())
    }

    /// Whether the connection still stands.
    pub async fn alive(&mut self) -> bool {
        let Self { conn, .. } = self;
        tokio::time::timeout(Duration::from_secs(5), conn.ping()).await.is_ok_and(|answer| answer.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<Server, StoreError> {
        let second = Duration::from_secs(1);
        Server::new(&Secret::new(url), None, TargetTimeouts { connect: second, statement: second, lock: second })
    }

    #[test]
    fn tls_verifies_unless_the_url_says_otherwise() {
        for (url, mode) in [
            ("postgres://a:b@db.example.com/users", "VerifyFull"),
            ("postgresql://a:b@10.0.0.1:6432/users", "VerifyFull"),
            ("postgres://a:b@db.example.com/users?sslmode=require", "Require"),
            ("postgres://a:b@db.example.com/users?sslmode=disable", "Disable"),
            ("postgres://a:b@localhost/users", "Prefer"),
            ("postgres://a:b@127.0.0.1/users", "Prefer"),
            ("postgres://a:b@[::1]:5432/users", "Prefer"),
            ("postgres://a:b@localhost/users?host=db.example.com", "VerifyFull"),
            ("postgres://a:b@localhost/users?host=/run/postgresql", "Disable"),
            ("postgres://a:b@%2Frun%2Fpostgresql/users", "Disable"),
        ] {
            assert_eq!(format!("{:?}", server(url).unwrap().options.get_ssl_mode()), mode, "{url}");
        }
    }

    #[test]
    fn names_and_errors_show_no_password() {
        let name = server("postgres://sync:s3cret@db.example.com:6432/people").unwrap().name.to_string();
        assert_eq!(name, "PostgreSQL database people on db.example.com:6432 (user sync)");
        for url in ["mysql://a:s3cret@h/d", "postgres://a:s3cret@h:port/d", "postgres://a@h/d?secret=s3cret", "s3cret"]
        {
            let error = server(url).err().unwrap();
            assert!(matches!(error, StoreError::Invalid(_)));
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}

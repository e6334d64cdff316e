//! Where users are in these tests, and what can be done to it from outside.

use std::{path::Path, time::Duration};

use serde_json::Value;

use crate::support::{
    bench::{Bench, Database},
    mariadb, postgres,
};

/// A database of one's own.
#[derive(Clone)]
pub struct Place {
    pub database: Database,
    server: Server,
}

#[derive(Clone, Copy)]
enum Server {
    None,
    Postgres(&'static postgres::Server),
    Mariadb(&'static mariadb::Server),
}

/// What is a session of a run: how to count and how to cut them.
const POSTGRES_SESSIONS: &str =
    "from pg_stat_activity where application_name = 'usersync' and datname = current_database()";
const MARIADB_SESSIONS: &str =
    "from information_schema.processlist where user = 'runner' and db = database() and command <> 'Killed'";

impl Place {
    pub fn sqlite() -> Self {
        Self { database: Database::Sqlite, server: Server::None }
    }

    pub fn postgres() -> Self {
        Self::on_postgres(postgres::Server::shared())
    }

    pub fn mariadb() -> Self {
        Self::on_mariadb(mariadb::Server::shared())
    }

    /// A server that may be killed: nobody else is on it. It ends with the test process.
    pub fn own_postgres() -> Self {
        Self::on_postgres(Box::leak(Box::new(postgres::Server::start())))
    }

    /// The same. A commit is in the hands of the operating system when it is answered.
    pub fn own_mariadb() -> Self {
        Self::on_mariadb(Box::leak(Box::new(mariadb::Server::start(&["--innodb-flush-log-at-trx-commit=2"]))))
    }

    /// A new database on that server.
    pub fn on_postgres(server: &'static postgres::Server) -> Self {
        Self { database: Database::Postgres(server.create_database()), server: Server::Postgres(server) }
    }

    /// The same.
    pub fn on_mariadb(server: &'static mariadb::Server) -> Self {
        let url = server.create_database();
        // One that the server shows to be a run's.
        mariadb::sql(
            &url,
            "create user if not exists runner@localhost identified by 'runner'; grant all on *.* to runner@localhost",
        );
        Self { database: Database::Mariadb(url), server: Server::Mariadb(server) }
    }

    pub fn has_server(&self) -> bool {
        !matches!(self.server, Server::None)
    }

    /// A sync in that folder.
    pub async fn bench(&self, folder: &Path, spec: Value) -> Bench {
        let url = match (&self.database, self.server) {
            (Database::Mariadb(url), Server::Mariadb(server)) => Some(server.url_for(url, "runner", "runner")),
            (Database::Mariadb(url), _) => Some(url.clone()),
            _ => None,
        };
        Bench::at(folder, self.database.clone(), url.as_deref(), spec).await
    }

    /// The database as words for another process, which has no server in its hands.
    pub fn words(&self) -> (String, String) {
        match (&self.database, self.server) {
            (Database::Mariadb(url), Server::Mariadb(server)) => {
                ("mariadb".to_owned(), server.url_for(url, "runner", "runner"))
            }
            (Database::Mariadb(url), _) => ("mariadb".to_owned(), url.clone()),
            (Database::Postgres(url), _) => ("postgres".to_owned(), url.clone()),
            (Database::Sqlite, _) => ("sqlite".to_owned(), String::new()),
        }
    }

    /// From [`Self::words`].
    pub fn from_words((kind, url): (String, String)) -> Self {
        let database = match kind.as_str() {
            "postgres" => Database::Postgres(url),
            "mariadb" => Database::Mariadb(url),
            _ => Database::Sqlite,
        };
        Self { database, server: Server::None }
    }

    /// Kills the database server.
    pub fn kill(&self) {
        match self.server {
            Server::None => panic!("there is no server"),
            Server::Postgres(server) => server.kill(),
            Server::Mariadb(server) => server.kill(),
        }
    }

    /// Starts it again.
    pub fn start_again(&self) {
        match self.server {
            Server::None => panic!("there is no server"),
            Server::Postgres(server) => server.start_again(),
            Server::Mariadb(server) => server.start_again(),
        }
    }

    /// Cuts the connections of runs.
    pub fn cut(&self) {
        match &self.database {
            Database::Postgres(url) => {
                drop(postgres::sql(url, &format!("select pg_terminate_backend(pid) {POSTGRES_SESSIONS}")));
            }
            Database::Mariadb(url) => {
                let kills = mariadb::sql(url, &format!("select concat('kill ', id, ';') {MARIADB_SESSIONS}"));
                // One may have gone by itself meanwhile.
                kills.lines().for_each(|kill| drop(mariadb::try_sql(url, kill)));
            }
            Database::Sqlite => panic!("there is no connection"),
        }
    }

    /// Waits until the server has none of them any more: whatever they were at is decided then.
    pub async fn quiet(&self) {
        let count = || match &self.database {
            Database::Postgres(url) => postgres::sql(url, &format!("select count(*) {POSTGRES_SESSIONS}")),
            Database::Mariadb(url) => mariadb::sql(
                url,
                "select count(*) from information_schema.processlist where user = 'runner' and db = database()",
            ),
            Database::Sqlite => "0".to_owned(),
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while count() != "0" {
            assert!(tokio::time::Instant::now() < deadline, "sessions of runs do not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

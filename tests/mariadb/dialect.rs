//! What is MariaDB's own in tests that run on each database server.

use usersync::{
    model::{job::Database, secret::Secret},
    store::mysql::Mysql,
};

pub use super::support::mariadb::{Server, sql};

pub type Store = Mysql;

pub fn database(url: &str) -> Database {
    Database::Mysql(Secret::new(url))
}

/// How many tables of the ledger there are.
pub const LEDGER_TABLES: &str = "select count(*) from information_schema.tables where table_schema = database() \
    and table_name like 'usersync%'";

/// The schema in which the users are.
pub const SCHEMA: &str = "select database()";

/// Users with a column of text in any case (`org`) and one of numbers (`site`).
pub const ANY_CASE: &str = "create table users (id varchar(80) primary key, org varchar(80) collate utf8mb4_general_ci, \
    site integer)";

pub fn days_ago(days: u32) -> String {
    format!("utc_timestamp() - interval {days} day")
}

/// The table's name with the schema that it is in: MariaDB's databases are schemas.
pub fn with_schema(url: &str, table: &str) -> String {
    format!("{}.{table}", url.split(['/', '?']).nth(3).unwrap())
}

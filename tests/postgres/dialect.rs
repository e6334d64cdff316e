//! What is PostgreSQL's own in tests that run on each database server.

use usersync::{
    model::{job::Database, secret::Secret},
    store::postgres::Postgres,
};

pub use super::support::postgres::{Server, sql};

pub type Store = Postgres;

pub fn database(url: &str) -> Database {
    Database::Postgres(Secret::new(url))
}

/// How many tables of the ledger there are.
pub const LEDGER_TABLES: &str = "select count(*) from pg_class where relname like 'usersync%'";

/// The schema in which the users are.
pub const SCHEMA: &str = "select current_schema()";

/// Users with a column of text in any case (`org`) and one of numbers (`site`).
pub const ANY_CASE: &str =
    "create extension citext; create table users (id varchar(80) primary key, org citext, site integer)";

pub fn days_ago(days: u32) -> String {
    format!("now() - interval '{days} days'")
}

/// The table's name with the schema that it is in.
pub fn with_schema(_: &str, table: &str) -> String {
    format!("public.{table}")
}

//! Users in a real MariaDB: what is written is read again, and nobody else's work is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "stores/bench.rs"]
mod bench;
#[path = "stores/changes.rs"]
mod changes;
#[path = "mariadb/dialect.rs"]
mod dialect;
#[path = "mariadb/errors.rs"]
mod errors;
#[path = "mariadb/keys.rs"]
mod keys;
#[path = "stores/ledger.rs"]
mod ledger;
#[path = "mariadb/changes.rs"]
mod own_changes;
#[path = "mariadb/table.rs"]
mod table;

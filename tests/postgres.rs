//! Users in a real PostgreSQL: what is written is read again, and nobody else's work is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "stores/bench.rs"]
mod bench;
#[path = "stores/changes.rs"]
mod changes;
#[path = "postgres/dialect.rs"]
mod dialect;
#[path = "postgres/errors.rs"]
mod errors;
#[path = "stores/ledger.rs"]
mod ledger;
#[path = "postgres/changes.rs"]
mod own_changes;
#[path = "postgres/table.rs"]
mod table;

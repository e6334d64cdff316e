//! Users in a real PostgreSQL: what is written is read again, and nobody else's work is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "postgres/bench.rs"]
mod bench;
#[path = "postgres/changes.rs"]
mod changes;
#[path = "postgres/errors.rs"]
mod errors;
#[path = "postgres/ledger.rs"]
mod ledger;
#[path = "postgres/table.rs"]
mod table;

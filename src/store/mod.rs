//! Adapters that hold users, with the ledger beside them.

pub mod postgres;
pub mod sqlite;

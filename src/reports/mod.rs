//! Adapters that keep reports.

pub mod folder;

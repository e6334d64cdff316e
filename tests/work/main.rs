//! What a host's syncs ask for, done with real folders and a real database: probe, look, run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bounds;
mod finish;
mod look;
mod probe;
mod run;
#[path = "../support/still.rs"]
mod still;
mod world;

//! Files on their way from a source to the users and on to where they are put: over real servers and lines that drop, packed
//! and damaged, under odd names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod moved;
mod names;
mod packed;
mod resumed;
mod scene;
#[path = "../support/mod.rs"]
mod support;

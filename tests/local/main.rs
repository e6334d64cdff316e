//! Local mode from outside: `usersync local` as a process over a folder, and the verbs that ask it for something.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../cli/world.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod world;

mod daemon;
mod folder;
mod runs;
mod verbs;

//! The command line from outside: the built binary in folders of its own, with SQLite. What goes to stdout is compared with
//! the files of `tests/golden/cli`; `UPDATE=1` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod approve;
mod archive;
mod browse;
mod corrections;
mod crash;
mod formats;
mod manifests;
mod output;
mod remove;
mod safeguards;
mod secrecy;
mod select;
#[path = "../support/smtp.rs"]
#[allow(dead_code, reason = "shared with the tests of mail")]
mod smtp;
mod state;
mod target;
mod world;

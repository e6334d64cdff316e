//! Reports and mails as people get them, looked at in a real browser: narrow and wide, light and dark, by the rules of
//! accessibility, with and without scripts, and with strangers' values in every place. The pictures are in
//! `target/tmp/pages/pictures`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod letters;
mod looked;
mod office;
#[path = "../cli/world.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod world;

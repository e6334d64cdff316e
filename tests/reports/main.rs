//! Reports in a bucket, against a real S3 server: kept, replaced, read, removed, and what is said when that can't be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../local/daemon.rs"]
#[allow(dead_code, reason = "shared with the tests of local mode")]
mod daemon;
#[path = "../support/gateway.rs"]
mod gateway;
#[path = "../support/smtp.rs"]
#[allow(dead_code, reason = "shared with the tests of mail")]
mod smtp;
#[path = "../support/still.rs"]
mod still;
#[path = "../cli/world.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod world;

mod bucket;
mod expired;
mod refused;
mod runs;
mod scene;

//! Reports in a bucket, against a real S3 server: kept, replaced, read, removed, and what is said when that can't be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../local/daemon.rs"]
#[allow(dead_code)]
mod daemon;
#[path = "../support/gateway.rs"]
mod gateway;
#[path = "../support/smtp.rs"]
#[allow(dead_code)]
mod smtp;
#[path = "../cli/world.rs"]
#[allow(dead_code)]
mod world;

mod bucket;
mod expired;
mod refused;
mod runs;
mod scene;

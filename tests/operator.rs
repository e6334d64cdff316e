//! The operator as a process, with a real API server: what a platform team does, and what goes wrong around it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "operator/bucket.rs"]
mod bucket;
#[path = "support/gateway.rs"]
#[allow(dead_code, reason = "shared with the tests of reports")]
mod gateway;
#[path = "operator/replicas.rs"]
mod replicas;
#[path = "operator/requests.rs"]
mod requests;
#[path = "operator/rights.rs"]
mod rights;
#[path = "support/smtp.rs"]
#[allow(dead_code, reason = "shared with the tests of mail")]
mod smtp;
mod support;
#[path = "operator/trouble.rs"]
mod trouble;
#[path = "operator/verbs.rs"]
mod verbs;
#[path = "operator/world.rs"]
mod world;

//! Mails and webhooks from outside: the built binary, a real mail server (Debian's Postfix) and, for faults alone, a scripted one.
//! What arrives is read back by a parser of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/postfix.rs"]
#[allow(dead_code)]
mod postfix;
#[path = "../support/smtp.rs"]
#[allow(dead_code)]
mod smtp;
#[path = "../cli/world.rs"]
#[allow(dead_code)]
mod world;

mod attachments;
mod faults;
mod hostile;
mod letters;
mod overdue;
mod scene;
mod unreported;
mod webhook;

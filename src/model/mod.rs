//! Words without logic: what the layers above speak to each other in.

pub mod approving;
pub mod change;
pub mod column;
pub mod condition;
pub mod counts;
pub mod cure;
pub mod event;
pub mod file;
pub mod job;
pub mod ledger;
pub mod letter;
pub mod notice;
pub mod plan;
pub mod post;
pub mod progress;
pub mod reason;
pub mod reject;
pub mod report;
pub mod rows;
pub mod secret;
pub mod sync;
pub mod view;

//! Words without logic: what the layers above speak to each other in.

pub mod change;
pub mod column;
pub mod counts;
pub mod file;
pub mod job;
pub mod ledger;
pub mod plan;
pub mod progress;
pub mod reason;
pub mod reject;
pub mod report;
pub mod rows;
pub mod secret;

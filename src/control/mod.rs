//! Pure: what a manifest means, what is due, what to do next, what the status says. `now` is always an argument.

pub mod backoff;
pub mod cause;
pub mod conditions;
pub mod decide;
pub mod deliveries;
pub mod events;
pub mod history;
pub mod job;
pub mod known;
pub mod outage;
pub mod overdue;
pub mod requests;
pub mod schedule;
pub mod told;
pub mod validate;

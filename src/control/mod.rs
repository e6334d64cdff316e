//! Pure: what a manifest means, and when. `now` is always an argument.

pub mod job;
pub mod schedule;
pub mod validate;

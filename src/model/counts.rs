//! How many rows and users a run met.

pub use crate::api::outcome::Counts;

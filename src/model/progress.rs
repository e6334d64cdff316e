//! How far a run is.

pub use crate::api::outcome::{Progress, Step};

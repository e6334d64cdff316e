//! A folder of manifests, with its state beside it.

pub mod manifests;
pub mod state;

//! A folder of manifests, with its state beside it.

pub mod ended;
mod kept;
pub mod manifests;
mod private;
mod spool;
pub mod state;
pub mod status;

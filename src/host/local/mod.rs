//! A folder of manifests, with its state beside it.

mod kept;
pub mod manifests;
mod private;
mod spool;
pub mod state;

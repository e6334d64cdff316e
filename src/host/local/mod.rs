//! A folder of manifests, with its state beside it.

pub mod ended;
pub mod folder;
mod kept;
mod lock;
pub mod manifests;
pub mod place;
mod private;
mod records;
mod requests;
mod runs;
mod seen;
mod spool;
pub mod state;
pub mod status;
pub mod watch;

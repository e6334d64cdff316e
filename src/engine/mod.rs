//! The engine: one run from the file on the server to the report in somebody's hand. [`run()`] is its table of contents;
//! it touches the world through [`crate::ports`] only, and its own spool folder.

mod again;
mod apply;
mod archive;
mod compare;
mod fetch;
mod look;
mod outcome;
mod preview;
mod probe;
mod read;
mod rejects;
mod report;
mod run;
mod settle;
mod spool;

pub use look::sight;
pub use outcome::{Ended, RunError, TakenOver};
pub use preview::{Preview, PreviewMapped, PreviewRow, preview};
pub use probe::probe;
pub use run::{attempt, run};

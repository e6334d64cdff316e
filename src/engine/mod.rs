//! The engine, in two paths, each with its table of contents. The data path is [`run()`]: from the file on the server to the
//! report in somebody's hand. The control path is `reconcile`: from a change to the status that says so. Both touch the world
//! through [`crate::ports`] only; a run has its own spool folder besides.

mod adding;
mod again;
mod alert;
mod apply;
mod archive;
mod aside;
mod ask;
mod attempts;
mod browse;
mod compare;
mod compared;
pub mod controller;
mod deliver;
mod expire;
mod fetch;
mod forget;
mod intake;
mod later;
mod letters;
mod lists;
mod look;
mod lookup;
mod outcome;
mod packing;
mod patience;
mod post;
mod preview;
mod probe;
mod queue;
mod read;
mod reconcile;
mod rejects;
mod report;
mod run;
mod settle;
mod spool;
mod transfer;
mod turns;
mod unpack;
mod unpublished;
mod world;

pub use alert::alert_parcels;
pub use browse::{Browsed, browse};
pub use deliver::deliver;
pub use expire::expire;
pub use look::sight;
pub use outcome::{Ended, RunError, TakenOver};
pub use patience::Patience;
pub use preview::{Preview, PreviewMapped, PreviewRow, preview};
pub use probe::probe;
pub use report::REPORT;
pub use run::{attempt, run};
pub use settle::finish;
pub use unpublished::unpublished;

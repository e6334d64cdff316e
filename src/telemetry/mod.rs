//! What the process says of itself to a monitoring system: metrics, and whether it is well.

pub mod catalog;
mod figures;
mod metrics;
pub mod server;

pub use self::metrics::Metrics;

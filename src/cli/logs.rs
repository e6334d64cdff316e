//! Log lines: on stderr, so that stdout holds results only.

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, fmt};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging for the process.
pub fn start(format: Format) {
    let filter = EnvFilter::try_from_env("USERSYNC_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Text => lines.with_target(false).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
}

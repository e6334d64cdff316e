//! Log lines: on stderr, so that stdout holds results only.

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, fmt};

use super::style;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging for the process: what `USERSYNC_LOG` says, or else everything from `level` on.
pub fn start(format: Format, level: &str) {
    let wanted = std::env::var("USERSYNC_LOG").ok().filter(|wanted| !wanted.trim().is_empty());
    let lines = fmt().with_env_filter(filter(wanted.as_deref().unwrap_or(level), level)).with_writer(std::io::stderr);
    let colour = style::colour_on(&std::io::stderr());
    match format {
        Format::Text => lines.with_ansi(colour).with_target(false).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
}

/// The filter that these directives say; `level` if they say nothing that can be understood.
fn filter(directives: &str, level: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new(level));
    // Says with each try again what is said once, and better, here.
    match "kube_runtime=off".parse() {
        Ok(directive) if !directives.contains("kube_runtime") => filter.add_directive(directive),
        _ => filter,
    }
}

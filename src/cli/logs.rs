//! Log lines: on stderr, so that stdout holds results only.

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

use super::style;
use crate::sync::render::text::visible;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The variable that says what is logged.
const VARIABLE: &str = "USERSYNC_LOG";

/// What the variable can't mean. The message is whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the variable USERSYNC_LOG says `{0}`, which is no level: write error, warn, info, debug, trace or off, or several with \
     what they are for, as in `info,usersync=debug`"
)]
pub struct BadDirective(String);

/// Starts logging for the process: what `USERSYNC_LOG` says, or else everything from `level` on.
pub fn start(format: Format, level: &str) -> Result<(), BadDirective> {
    let wanted = std::env::var_os(VARIABLE).map(|wanted| wanted.to_string_lossy().into_owned());
    let wanted = wanted.filter(|wanted| !wanted.trim().is_empty());
    let lines = fmt().with_env_filter(filter(wanted.as_deref().unwrap_or(level))?).with_writer(std::io::stderr);
    let colour = style::colour_on(&std::io::stderr());
    match format {
        Format::Text => lines.with_ansi(colour).with_target(false).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The filter that these directives say.
fn filter(directives: &str) -> Result<EnvFilter, BadDirective> {
    if let Some(bad) = bad(directives) {
        return Err(BadDirective(visible(bad)));
    }
    let filter = EnvFilter::try_new(directives).map_err(|_| BadDirective(visible(directives)))?;
    // Says with each try again what is said once, and better, here.
    Ok(match "kube_runtime=off".parse() {
        Ok(directive) if !directives.contains("kube_runtime") => filter.add_directive(directive),
        _ => filter,
    })
}

/// The first directive that says nothing. A word alone is a level here: that of a level misspelt would be taken for a part of
/// the program, of which nothing is ever logged.
fn bad(directives: &str) -> Option<&str> {
    // A comma within brackets parts fields, not directives.
    let plain = !directives.contains(['[', '{']);
    let mut said = directives.split(',').map(str::trim).filter(|said| plain && !said.is_empty());
    said.find(|said| said.rsplit('=').next().is_some_and(|level| level.trim().parse::<LevelFilter>().is_err()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_no_level_is_refused_with_its_name() {
        for good in ["info", "WARN", "off", "info,usersync=debug", "usersync[run{run=hr-1}]=trace"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for (wanted, bad) in [
            ("inof", "inof"),
            ("info,usersync=loud", "usersync=loud"),
            ("usersync", "usersync"),
            ("usersync[run=trace", "usersync[run=trace"),
        ] {
            assert_eq!(filter(wanted).err(), Some(BadDirective(bad.to_owned())), "{wanted}");
        }
    }
}

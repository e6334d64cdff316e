//! `usersync completions`: a shell's completion script.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Exit, output};

/// Arguments of `usersync completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  usersync completions bash > /etc/bash_completion.d/usersync")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "usersync", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Completed)
}

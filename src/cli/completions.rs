//! `usersync completions`: a shell's completion script.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Exit};

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
    generate(args.shell, &mut Cli::command(), "usersync", &mut std::io::stdout());
    Ok(Exit::Completed)
}

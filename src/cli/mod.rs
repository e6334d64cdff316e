//! The command line: arguments in, text and exit codes out.

mod browse;
mod check;
mod completions;
mod crds;
mod input;
mod local;
mod logs;
mod operator;
mod output;
mod preview;
mod progress;
mod reports;
mod run;
mod schedule;
mod signals;
mod style;
mod template;
mod verbs;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Brings people from CSV files into a user database, the GitOps way.
#[derive(Debug, Parser)]
#[command(name = "usersync", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines look on stderr; USERSYNC_LOG sets what is logged
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Logging")]
    log_format: logs::Format,
}

const EXIT_CODES: &str = "Exit codes:
  0  completed, also when there was no file
  1  failed
  2  bad usage or manifest: nothing ran
  3  held by a safeguard: nothing was written
  4  completed, some rows were rejected
Of several syncs the first of 2, 1, 3, 4, 0.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Look after the UserSyncs of a cluster
    Operator(operator::OperatorArgs),
    /// Look after the UserSyncs in a folder of manifests, without a cluster
    Local(local::LocalArgs),
    /// Run each sync once: import its file, or simulate that
    Run(run::RunArgs),
    /// Validate manifests offline: every problem with file, line and field
    Check(check::CheckArgs),
    /// List the source's folder: which file the next run would take, and why not the others
    Browse(browse::BrowseArgs),
    /// Show the first rows of the next file, raw and mapped
    Preview(preview::PreviewArgs),
    /// Print the CSV header, and an example row, that the mapping expects
    Template(template::TemplateArgs),
    /// Print the next start times
    Schedule(schedule::ScheduleArgs),
    /// Print the custom resource definitions
    Crds(crds::CrdsArgs),
    /// Print a shell's completion script
    Completions(completions::CompletionsArgs),
    #[command(flatten)]
    Verb(verbs::Verb),
}

impl Command {
    /// What is logged unless the user says otherwise: all that is done where nobody looks on, else only what is wrong.
    fn level(&self) -> &'static str {
        match self {
            Self::Local(_) | Self::Operator(_) => "info",
            _ => "warn",
        }
    }
}

/// Parses the process's arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = parse();
    if let Err(error) = logs::start(cli.log_format, cli.command.level()) {
        eprintln!("usersync: {error}");
        return Exit::Usage.into();
    }
    let done = match cli.command {
        Command::Operator(args) => operator::operator(args),
        Command::Local(args) => local::local(args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Browse(args) => browse::browse(&args),
        Command::Preview(args) => preview::preview(&args),
        Command::Template(args) => template::template(&args),
        Command::Schedule(args) => schedule::schedule(&args),
        Command::Crds(args) => crds::crds(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Verb(verb) => verbs::verb(&verb),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("usersync: {error:#}");
            Exit::Failed.into()
        }
    }
}

/// The arguments. Called as kubectl's plugin (`kubectl-usersync`), usage and examples say `kubectl usersync`.
fn parse() -> Cli {
    let called = verbs::called();
    if called == "usersync" {
        return Cli::parse();
    }
    let parsed = Cli::from_arg_matches(&renamed(Cli::command(), called).get_matches());
    parsed.unwrap_or_else(|error| error.exit())
}

/// The same command line under another name.
fn renamed(command: clap::Command, called: &'static str) -> clap::Command {
    let examples = |command: clap::Command| match command.get_after_help().map(ToString::to_string) {
        Some(text) => {
            let text =
                text.replace("  usersync ", &format!("  {called} ")).replace("| usersync ", &format!("| {called} "));
            command.after_help(text)
        }
        None => command,
    };
    command.bin_name(called).mut_subcommands(examples)
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Completed,
    /// 1
    Failed,
    /// 2
    Usage,
    /// 3
    Held,
    /// 4
    Rejects,
}

impl Exit {
    /// Of several ends the one that a caller must see first: 2, 1, 3, 4, 0.
    fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        let urgency = |exit: &Self| match exit {
            Self::Usage => 4,
            Self::Failed => 3,
            Self::Held => 2,
            Self::Rejects => 1,
            Self::Completed => 0,
        };
        exits.into_iter().max_by_key(urgency).unwrap_or(Self::Completed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Completed => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Held => 3,
            Exit::Rejects => 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        renamed(Cli::command(), "kubectl usersync").debug_assert();
    }

    #[test]
    fn of_several_ends_the_most_urgent_counts() {
        assert_eq!(Exit::worst([]), Exit::Completed);
        assert_eq!(Exit::worst([Exit::Rejects, Exit::Completed]), Exit::Rejects);
        assert_eq!(Exit::worst([Exit::Rejects, Exit::Held]), Exit::Held);
        assert_eq!(Exit::worst([Exit::Failed, Exit::Held]), Exit::Failed);
        assert_eq!(Exit::worst([Exit::Failed, Exit::Usage]), Exit::Usage);
    }
}

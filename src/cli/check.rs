//! `usersync check`: every problem of the manifests, offline.

use clap::Args;

use super::{Exit, input, output};

/// Arguments of `usersync check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  usersync check -f syncs/
  kustomize build overlays/prod | usersync check -f -")]
pub struct CheckArgs {
    #[command(flatten)]
    manifests: input::Manifests,
}

/// Prints every problem as `FILE:LINE:COLUMN: FIELD: MESSAGE`, or what was found to be valid.
pub fn check(args: &CheckArgs) -> anyhow::Result<Exit> {
    let Some(syncs) = input::objects(&args.manifests) else { return Ok(Exit::Usage) };
    for sync in &syncs {
        output::line(&format!("{}: valid", input::full_name(sync)))?;
    }
    Ok(Exit::Completed)
}

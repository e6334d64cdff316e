//! `usersync crds`: the custom resource definitions.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{Exit, output};
use crate::api;

/// Arguments of `usersync crds`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  usersync crds | kubectl apply --server-side -f -")]
pub struct CrdsArgs {
    /// Write a file for each into this folder instead of printing them
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints or writes the definitions.
pub fn crds(args: &CrdsArgs) -> anyhow::Result<Exit> {
    let files = api::crd_files().context("the definitions can't be rendered")?;
    match &args.output {
        None => {
            let documents: Vec<_> = files.into_iter().map(|(_, text)| text).collect();
            output::text(&documents.join("---\n"))?;
        }
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
            for (name, text) in files {
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
            }
        }
    }
    Ok(Exit::Completed)
}

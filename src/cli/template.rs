//! `usersync template`: the header that a mapping expects.

use clap::Args;

use super::{Exit, input, output};
use crate::{control::job::reading, sync::template::template as rendered};

/// Arguments of `usersync template`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  usersync template -f hr.yaml > userdata_example.csv")]
pub struct TemplateArgs {
    #[command(flatten)]
    manifests: input::Manifests,
}

/// Prints the header and an example row of each sync; several syncs are told apart by a line `# NAME` before each.
pub fn template(args: &TemplateArgs) -> anyhow::Result<Exit> {
    let Some(syncs) = input::objects(&args.manifests) else { return Ok(Exit::Usage) };
    for sync in &syncs {
        if syncs.len() > 1 {
            output::line(&format!("# {}", input::full_name(sync)))?;
        }
        match reading(&sync.spec) {
            Ok((csv, mapping)) => output::text(&rendered(&mapping, &csv))?,
            Err(problems) => {
                anyhow::bail!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            }
        }
    }
    Ok(Exit::Completed)
}

//! `usersync preview`: the first rows of the next file, raw and mapped.

use std::sync::Arc;

use clap::Args;

use super::{Exit, input, output, progress};
use crate::{
    app::App,
    engine::{Preview, PreviewMapped},
    sync::render::text::visible_cut,
};

/// Arguments of `usersync preview`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  usersync preview -f hr.yaml")]
pub struct PreviewArgs {
    #[command(flatten)]
    manifests: input::Manifests,
    #[command(flatten)]
    place: input::Place,
}

/// How many rows are shown.
const ROWS: usize = 5;

/// The longest cell shown, in characters.
const CELL: usize = 60;

/// Shows the first rows of each sync's next file. Writes nothing to the database.
pub fn preview(args: &PreviewArgs) -> anyhow::Result<Exit> {
    let Some(syncs) = input::load(&args.manifests, &args.place) else { return Ok(Exit::Usage) };
    let app = App::open(&args.place.folder(&args.manifests))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut exits = Vec::new();
    for sync in &syncs {
        let name = sync.job.sync.to_string();
        let bar = Arc::new(progress::Bar::new(&name));
        let previewed = runtime.block_on(app.preview(sync, ROWS, bar.clone()));
        bar.clear();
        exits.push(match previewed {
            Ok(Ok(preview)) => {
                output::text(&shown(&name, &preview))?;
                Exit::Completed
            }
            Ok(Err(nothing)) => {
                output::line(&format!("{name}: {nothing}"))?;
                Exit::Completed
            }
            Err(error) => {
                eprintln!("usersync: {name}: {error:#}");
                Exit::Failed
            }
        });
    }
    Ok(Exit::worst(exits))
}

fn shown(name: &str, preview: &Preview) -> String {
    let Preview { file, header, delimiter, encoding, rows } = preview;
    let delimiter = if *delimiter == '\t' { "tab".to_owned() } else { format!("`{delimiter}`") };
    let file = visible_cut(file, CELL);
    let mut text = format!("{name}: {file}, {encoding}, columns separated by {delimiter}\n");
    for row in rows {
        text += &format!("\nline {}\n", row.line);
        for (at, cell) in row.cells.iter().enumerate() {
            let column = header.get(at).map_or_else(|| format!("(cell {})", at + 1), |name| visible_cut(name, CELL));
            text += &format!("  {column}: {}\n", visible_cut(cell, CELL));
        }
        match &row.mapped {
            PreviewMapped::Filtered => text += "  → left out by the filter\n",
            PreviewMapped::Rejected(reject) => {
                text += &format!("  → rejected, {}: {}\n", reject.code, visible_cut(&reject.message, 300));
            }
            PreviewMapped::User(values) => {
                for (property, value) in values {
                    let value = value.as_ref().map_or_else(|| "(empty)".to_owned(), |value| visible_cut(value, CELL));
                    text += &format!("  → {property} = {value}\n");
                }
            }
        }
    }
    text
}

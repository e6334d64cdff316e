//! `usersync browse`: what lies on the server, and what the next run would take.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Exit, input, output};
use crate::{
    app::{Browsed, Sync, browse as look, host_key},
    host::local::state::State,
    model::{
        file::{Listed, ListedKind},
        job::Take,
    },
    sync::{
        choose::Verdict,
        render::text::{bytes, number, paragraph, visible, visible_cut},
    },
};

/// Arguments of `usersync browse`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  usersync browse -f hr.yaml           which file the next run would take, and why not the others
  usersync browse -f hr.yaml bak       another folder on the server
  usersync browse -f hr.yaml -o json | jq -r '.names[] | [.name, .why] | @tsv'")]
pub struct BrowseArgs {
    #[command(flatten)]
    manifests: input::Manifests,
    /// Another folder: relative to the source's own, or absolute on the server [default: the source's own]
    #[arg(value_name = "FOLDER")]
    folder: Option<String>,
    /// How the list is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    place: input::Place,
}

/// How the list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table for people.
    #[default]
    Text,
    /// One JSON object a sync, a line each.
    Json,
}

/// The longest name in the table, in characters.
const NAME: usize = 60;

/// The longest reason, in characters.
const WHY: usize = 200;

/// Lists each sync's folder, one after the other. Writes nothing anywhere.
pub fn browse(args: &BrowseArgs) -> anyhow::Result<Exit> {
    let syncs = match input::load_or_keyless(&args.manifests, &args.place) {
        Ok(syncs) => syncs,
        Err(servers) => return show_keys(&servers),
    };
    let state = State::at(&args.place.folder(&args.manifests));
    let runtime = tokio::runtime::Runtime::new()?;
    let mut exits = Vec::new();
    for (index, sync) in syncs.iter().enumerate() {
        exits.push(match runtime.block_on(look(&state, sync, args.folder.as_deref())) {
            Ok(browsed) => {
                match args.output {
                    Output::Json => output::line(&json(sync, &browsed)?)?,
                    Output::Text if index == 0 => output::text(&shown(sync, &browsed))?,
                    Output::Text => output::text(&format!("\n{}", shown(sync, &browsed)))?,
                }
                Exit::Completed
            }
            Err(error) => {
                eprintln!("usersync: {}: {}", sync.job.sync, paragraph(&format!("{error:#}"), 2));
                Exit::Failed
            }
        });
    }
    Ok(Exit::worst(exits))
}

/// Says which keys servers have of which the manifest has none. No secret is sent.
fn show_keys(servers: &[input::Keyless]) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Runtime::new()?;
    for server in servers {
        let said = runtime.block_on(host_key(&server.host, server.port));
        eprintln!("usersync: {}: {}", visible(&server.sync), paragraph(&said, 2));
    }
    Ok(Exit::Usage)
}

/// One sync's folder in one line of JSON.
#[derive(Serialize)]
struct Folder<'a> {
    sync: String,
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a str>,
    names: Vec<Name<'a>>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    mtime: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

fn json(sync: &Sync, browsed: &Browsed) -> serde_json::Result<String> {
    let name = |(listed, verdict): &'_ (Listed, Option<Verdict>)| {
        let verdict = verdict.as_ref();
        (listed.clone(), verdict.map(|said| (taken(said), said.code(), said.words(&sync.job.take))))
    };
    let named: Vec<_> = browsed.names.iter().map(name).collect();
    let names = named.iter().map(|(listed, said)| Name {
        name: &listed.name,
        kind: match listed.kind {
            ListedKind::File => "file",
            ListedKind::Folder => "folder",
            ListedKind::Other => "other",
        },
        size: (listed.kind != ListedKind::Folder).then_some(listed.size),
        mtime: listed.mtime,
        taken: said.as_ref().map(|said| said.0),
        reason: said.as_ref().map(|said| said.1),
        why: said.as_ref().map(|said| said.2.clone()),
    });
    serde_json::to_string(&Folder {
        sync: sync.job.sync.to_string(),
        location: &browsed.location,
        unknown: browsed.unknown.as_deref(),
        names: names.collect(),
    })
}

fn taken(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Taken { .. })
}

/// One sync's folder for people.
fn shown(sync: &Sync, browsed: &Browsed) -> String {
    let files = browsed.names.iter().filter(|(listed, _)| listed.kind == ListedKind::File).count();
    let folders = browsed.names.iter().filter(|(listed, _)| listed.kind == ListedKind::Folder).count();
    let mut text = format!(
        "{}: {}, {}, {}\n",
        sync.job.sync,
        visible(&browsed.location),
        counted(files, "file"),
        counted(folders, "folder")
    );
    if let Some(why) = &browsed.unknown {
        text += &format!(
            "  warning: what was imported can't be known, so it is taken for nothing: {}\n",
            paragraph(why, 11)
        );
    }
    text + &table(&browsed.names, &sync.job.take)
}

fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", number(count as u64), if count == 1 { "" } else { "s" })
}

/// The names as a table, a line each; the file that is taken has an arrow.
fn table(names: &[(Listed, Option<Verdict>)], take: &Take) -> String {
    if names.is_empty() {
        return String::new();
    }
    let judged = names.iter().any(|(_, verdict)| verdict.is_some());
    let head = ["", "NAME", "SIZE", "MODIFIED", if judged { "NEXT RUN" } else { "" }].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(names.iter().map(|name| row(name, take))).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let (name, size, modified) = (width(1), width(2), width(3));
    let line = |row: &[String; 5]| {
        let [arrow, file, bytes, time, why] = row;
        let line = format!("{arrow:1} {file:name$}  {bytes:>size$}  {time:modified$}  {why}");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn row((listed, verdict): &(Listed, Option<Verdict>), take: &Take) -> [String; 5] {
    let folder = listed.kind == ListedKind::Folder;
    [
        if verdict.as_ref().is_some_and(taken) { "→" } else { "" }.to_owned(),
        format!("{}{}", visible_cut(&listed.name, NAME), if folder { "/" } else { "" }),
        if folder { "-".to_owned() } else { bytes(listed.size) },
        listed.mtime.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        verdict.as_ref().map(|verdict| visible_cut(&verdict.words(take), WHY)).unwrap_or_default(),
    ]
}

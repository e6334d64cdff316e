//! `usersync run`: one run of each sync.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::{Exit, input, output, progress, reports::usable, style};
use crate::{
    api::{Mode, Select},
    app::{App, Request, Sync},
    engine::Ended,
    model::{
        approving::Approving,
        job::Approval,
        reason::{Reason, Verdict},
    },
    reports::ReportsAt,
    sync::render::summary::summary,
};

/// Arguments of `usersync run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  usersync run -f hr.yaml                  import the next file
  usersync run -f hr.yaml --simulate       show what would change, write nothing
  usersync run -f hr.yaml --approve 3f0c…  import a file that a safeguard held
  usersync run -f syncs/ -o json | jq .counts")]
pub struct RunArgs {
    #[command(flatten)]
    manifests: input::Manifests,
    /// Show what would change and write nothing
    #[arg(long)]
    simulate: bool,
    /// Import the file with this SHA-256 although a safeguard held it, for at most what the held run showed
    #[arg(long, value_name = "SHA256", conflicts_with = "simulate", value_parser = sha256)]
    approve: Option<String>,
    /// Write no mail and send none, nor those of earlier runs
    #[arg(long)]
    no_mail: bool,
    /// How results are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Where reports are kept: a folder or s3://BUCKET/PREFIX [default: with the state]
    #[arg(long, value_name = "DIR")]
    reports: Option<ReportsAt>,
    #[command(flatten)]
    place: input::Place,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON object a run, a line each.
    Json,
}

/// A whole SHA-256 in hexadecimal, in lower case.
pub fn sha256(text: &str) -> Result<String, String> {
    let digest = text.trim().to_ascii_lowercase();
    if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digest)
    } else {
        Err("give the file's whole SHA-256, 64 hexadecimal digits, as the held run printed it".to_owned())
    }
}

/// Runs each sync of the manifests once, one after the other.
pub fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let Some(mut syncs) = input::load(&args.manifests, &args.place) else { return Ok(Exit::Usage) };
    if args.no_mail {
        syncs.iter_mut().for_each(Sync::without_mail);
    }
    if args.approve.is_some() && syncs.len() != 1 {
        let count = syncs.len();
        eprintln!(
            "usersync: --approve is for the file of one sync, but the manifests have {count}: name the manifest of that \
             sync alone"
        );
        return Ok(Exit::Usage);
    }
    if args.reports.as_ref().is_some_and(|reports| !usable(reports)) {
        return Ok(Exit::Usage);
    }
    let app = App::open(&args.place.folder(&args.manifests))?;
    let mut app = app.approved(Approving::Run([args.manifests.anywhere(), args.place.anywhere()].concat()));
    if let Some(reports) = &args.reports {
        app = app.with_reports(reports)?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let mut exits = Vec::new();
    for sync in &syncs {
        if let Err(error) = runtime.block_on(run_sync(&app, sync, args, &mut exits)) {
            eprintln!("usersync: {}: {error:#}", sync.job.sync);
            exits.push(Exit::Failed);
        }
    }
    Ok(Exit::worst(exits))
}

/// The runs of one sync: one, or with `select: All` one for each file.
async fn run_sync(app: &App, sync: &Sync, args: &RunArgs, exits: &mut Vec<Exit>) -> anyhow::Result<()> {
    let mode = if args.simulate { Mode::Simulation } else { Mode::Import };
    let approval = args.approve.as_ref().map(|sha256| approval(app, sync, sha256)).transpose()?;
    let mut after = None;
    loop {
        let request = Request { mode, approval: approval.clone(), after };
        let bar = Arc::new(progress::Bar::new(&sync.job.sync.to_string()));
        let ended = app.run(sync, request, bar.clone()).await;
        bar.clear();
        let ended = ended?;
        print(&ended, args)?;
        // What waits is told on the side: the run has ended as it has.
        let only = args.no_mail.then_some(ended.report.run.as_str());
        match app.deliver(sync, only).await {
            Ok(left) => left.iter().for_each(|left| eprintln!("usersync: {}: {left}", sync.job.sync)),
            Err(error) => eprintln!("usersync: {}: nobody could be told: {error:#}", sync.job.sync),
        }
        exits.push(exit(ended.report.reason));
        let done = matches!(ended.report.reason.verdict(), Verdict::Completed | Verdict::Rejects);
        if !(done && ended.more && sync.job.take.select == Select::All) {
            return Ok(());
        }
        after = ended.file;
    }
}

/// What the approval covers: what the held run showed, if the state folder has it.
fn approval(app: &App, sync: &Sync, sha256: &str) -> anyhow::Result<(Approval, Option<String>)> {
    let held = app.state().last_held(&sync.job.sync, sha256)?;
    let sha256 = sha256.to_owned();
    Ok(match held {
        Some(held) => (Approval { sha256, held: Some(held.seen) }, Some(held.run)),
        None => (Approval { sha256, held: None }, None),
    })
}

fn print(ended: &Ended, args: &RunArgs) -> anyhow::Result<()> {
    match args.output {
        Output::Json => output::line(&serde_json::to_string(&ended.report)?)?,
        Output::Text => {
            let lines = summary(&ended.report, &ended.sample, &typed(args));
            output::text(&style::styled(&lines, style::colour_on(&std::io::stdout())))?;
        }
    }
    Ok(())
}

/// The arguments that an approval of this run needs too.
fn typed(args: &RunArgs) -> Vec<String> {
    let reports = args.reports.iter().flat_map(|reports| ["--reports".to_owned(), reports.to_string()]);
    [args.manifests.typed(), args.place.typed(), reports.collect()].concat()
}

fn exit(reason: Reason) -> Exit {
    match reason.verdict() {
        Verdict::Completed => Exit::Completed,
        Verdict::Rejects => Exit::Rejects,
        Verdict::Held => Exit::Held,
        Verdict::Failed => Exit::Failed,
    }
}

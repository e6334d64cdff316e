//! The runs of a sync as a table, and one run in full.

use clap::Args;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use serde::Serialize;

use super::{VerbError, Where, ended};
use crate::{
    api::{Action, Mode, Trigger, UserSyncRun},
    cli::{
        Exit, output,
        reports::{in_a_bucket, kept},
    },
    control::cause::{ended as reason_of, ended_at},
    host::place::{Kept, Place},
    model::report::RunReport,
    sync::render::text::{duration, number, visible_cut},
};

/// The longest file name in the table, in characters.
const FILE: usize = 40;

/// Arguments of `usersync runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// The UserSync's name [default: all of the namespace]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How the list is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: ended::Format,
    #[command(flatten)]
    place: Where,
}

/// Arguments of `usersync report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The UserSyncRun's name
    #[arg(value_name = "RUN")]
    run: String,
    /// How the report is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
    /// Print each change, as CSV: who was added, updated and removed, property by property
    #[arg(long, conflicts_with_all = ["output", "rejects"])]
    changes: bool,
    /// Print the rejects file: the rejected rows as they came, to be corrected and sent again
    #[arg(long, conflicts_with = "output")]
    rejects: bool,
    #[command(flatten)]
    place: Where,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// A page that needs nothing but itself: `usersync report RUN -o html > report.html`
    Html,
}

/// A run in one line of JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(flatten)]
    report: &'a RunReport,
    action: Action,
    trigger: Trigger,
}

/// Prints the report of a run that ended; the exit code is the run's, or 0 for one of its files.
pub async fn report(args: &ReportArgs) -> Result<Exit, VerbError> {
    let place = args.place.place().await?;
    let run = place.run(&args.run).await?;
    let run = run.ok_or_else(|| VerbError::Unfit(format!("there is no run {}: see `usersync runs`", args.run)))?;
    let said = ended::report(&*place, &run).await;
    let said = said.ok_or_else(|| VerbError::Unfit(format!("{} has not ended", args.run)))?;
    match (args.changes, args.rejects, args.output) {
        (true, ..) => {
            let packed = kept(&*place, &run, Kept::Changes).await?;
            output::file(GzDecoder::new(packed.as_slice()))?;
            Ok(Exit::Completed)
        }
        (_, true, _) => {
            output::file(kept(&*place, &run, Kept::Rejects).await?.as_slice())?;
            Ok(Exit::Completed)
        }
        (.., Shape::Html) => {
            output::file(kept(&*place, &run, Kept::Page).await?.as_slice())?;
            Ok(ended::exit(said.reason))
        }
        (.., Shape::Json) => Ok(ended::print(&*place, &whole(&*place, &run, said).await, ended::Format::Json)?),
        (.., Shape::Text) => Ok(ended::print(&*place, &whole(&*place, &run, said).await, ended::Format::Text)?),
    }
}

/// With what a bucket has of the run, which says more than its status; or else that alone, and why.
async fn whole(place: &dyn Place, run: &UserSyncRun, said: RunReport) -> RunReport {
    if !said.reports.report.as_deref().is_some_and(in_a_bucket) {
        return said;
    }
    match kept(place, run, Kept::Report).await {
        Ok(text) => ended::with_kept(said, &text),
        Err(why) => {
            eprintln!("usersync: this is what the run's status says. {why}");
            said
        }
    }
}

/// Lists runs, the newest first.
pub async fn runs(args: &RunsArgs) -> Result<Exit, VerbError> {
    let place = args.place.place().await?;
    let mut runs = place.runs(args.name.as_deref()).await?;
    // One at work is the newest; of the others several may have begun in one second, but none ended in one moment.
    runs.sort_by_cached_key(|run| std::cmp::Reverse((ended_at(run).is_none(), ended_at(run), began(run))));
    if args.output == ended::Format::Json {
        for run in &runs {
            output::line(&json(&*place, run).await)?;
        }
        return Ok(Exit::Completed);
    }
    match (runs.is_empty(), &args.name) {
        (true, Some(name)) => eprintln!("usersync: {name} has no runs yet"),
        (true, None) => eprintln!("usersync: there are no runs yet"),
        (false, _) => output::text(&table(&runs))?,
    }
    Ok(Exit::Completed)
}

async fn json(place: &dyn Place, run: &UserSyncRun) -> String {
    let text = match ended::report(place, run).await {
        Some(report) => {
            let (action, trigger) = (run.spec.sync_spec.action, run.spec.trigger);
            serde_json::to_string(&Line { report: &report, action, trigger })
        }
        None => serde_json::to_string(&serde_json::json!({
            "sync": run.spec.sync,
            "run": run.metadata.name,
            "mode": run.spec.mode,
            "reason": "Running",
            "startTime": began(run),
            "progress": run.status.as_ref().and_then(|status| status.progress),
            "action": run.spec.sync_spec.action,
            "trigger": run.spec.trigger,
        })),
    };
    text.unwrap_or_default()
}

/// When a run began, or else was made.
fn began(run: &UserSyncRun) -> Option<Timestamp> {
    let started = run.status.as_ref().and_then(|status| status.start_time.as_ref());
    started.or(run.metadata.creation_timestamp.as_ref()).map(|time| time.0)
}

const HEAD: [&str; 13] = [
    "RUN",
    "FILE",
    "ACTION",
    "MODE",
    "READ",
    "ADDED",
    "UPDATED",
    "UNCHANGED",
    "REMOVED",
    "REJECTED",
    "STARTED",
    "TOOK",
    "VERDICT",
];
/// The columns with numbers.
const NUMBERS: std::ops::Range<usize> = 4..10;

/// The runs as a table, a line each.
fn table(runs: &[UserSyncRun]) -> String {
    let rows: Vec<[String; 13]> = std::iter::once(HEAD.map(str::to_owned)).chain(runs.iter().map(row)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
            match NUMBERS.contains(&at) {
                true => line.push_str(&format!("{cell:>width$}  ")),
                false => line.push_str(&format!("{cell:width$}  ")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A run's times have whole seconds.
fn took(seconds: f64) -> String {
    match seconds {
        short if short < 1.0 => "< 1 s".to_owned(),
        short if short < 60.0 => format!("{short:.0} s"),
        long => duration(long),
    }
}

fn row(run: &UserSyncRun) -> [String; 13] {
    let status = run.status.clone().unwrap_or_default();
    let counts = status.counts.unwrap_or_default();
    let known = status.counts.is_some();
    let count = |n: u64| if known { number(n) } else { "-".to_owned() };
    let seconds = |end: Timestamp| began(run).map(|start| end.duration_since(start).as_secs_f64());
    let took = status.completion_time.as_ref().and_then(|end| seconds(end.0)).map(took);
    let verdict = match (reason_of(run), status.progress) {
        (Some((_, reason, _)), _) => reason.to_owned(),
        (None, Some(progress)) => format!("Running ({:?})", progress.step),
        (None, None) => "Running".to_owned(),
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        run.metadata.name.clone().unwrap_or_default(),
        or_none(status.file.map(|file| visible_cut(&file.name, FILE))),
        format!("{:?}", run.spec.sync_spec.action),
        match run.spec.mode {
            Mode::Import => "Import".to_owned(),
            Mode::Simulation => "Simulation".to_owned(),
        },
        count(counts.read),
        count(counts.added),
        count(counts.updated),
        count(counts.unchanged),
        count(counts.removed),
        count(counts.rejected),
        or_none(began(run).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
        or_none(took),
        verdict,
    ]
}

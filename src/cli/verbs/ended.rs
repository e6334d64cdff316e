//! How a run ended, as its status says it: for people and as the object that `report.json` holds.

use crate::{
    api::UserSyncRun,
    cli::{Exit, output, style},
    control::cause::ended,
    host::place::Place,
    model::{
        reason::{Reason, Verdict},
        report::{RunReport, Sample, Timings},
    },
    sync::render::summary::{quoted, summary_approved_by},
};

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a run, a line each.
    Json,
}

/// The report of a run that ended: what is kept beside it, or else what its status says. None: it has not ended.
pub async fn report(place: &dyn Place, run: &UserSyncRun) -> Option<RunReport> {
    with_kept(run, place.report(run).await)
}

/// The same, with the text of the `report.json` that is kept beside it.
pub fn with_kept(run: &UserSyncRun, text: Option<String>) -> Option<RunReport> {
    let said = of_status(run)?;
    let kept = text.and_then(|text| serde_json::from_str::<RunReport>(&text).ok());
    // The status is the later word.
    Some(match kept {
        Some(kept) if kept.run == said.run => {
            RunReport { reason: said.reason, message: said.message, reports: said.reports, ..kept }
        }
        _ => said,
    })
}

fn of_status(run: &UserSyncRun) -> Option<RunReport> {
    let (_, reason, _) = ended(run)?;
    let status = run.status.clone()?;
    let condition = status.conditions.iter().find(|said| said.type_ == crate::model::condition::SUCCEEDED)?;
    let message = condition.message.clone();
    let completion_time = status.completion_time.map_or(condition.last_transition_time.0, |time| time.0);
    let start_time = status.start_time.map_or(completion_time, |time| time.0);
    let total = completion_time.duration_since(start_time).as_secs_f64();
    let namespace = run.metadata.namespace.as_deref().unwrap_or("default");
    let sync = match namespace {
        "default" => run.spec.sync.clone(),
        namespace => format!("{namespace}/{}", run.spec.sync),
    };
    Some(RunReport {
        sync,
        run: run.metadata.name.clone().unwrap_or_default(),
        mode: run.spec.mode,
        // A reason of another version: failed, with its own words.
        reason: Reason::named(reason).unwrap_or(Reason::TargetFailed),
        message,
        file: status.file,
        counts: status.counts.unwrap_or_default(),
        guard: status.guard.unwrap_or_default(),
        start_time,
        completion_time,
        timings: Timings { total, ..Timings::default() },
        warnings: Vec::new(),
        looked: None,
        reports: status.reports.unwrap_or_default(),
    })
}

/// Prints the report and says how the process ends.
pub fn print(place: &dyn Place, report: &RunReport, format: Format) -> std::io::Result<Exit> {
    match format {
        Format::Json => output::line(&serde_json::to_string(report).unwrap_or_default())?,
        Format::Text => {
            let arguments: String = place.arguments().iter().map(|argument| format!(" {}", quoted(argument))).collect();
            let approve = format!("{} approve {}{arguments}", super::called(), report.run);
            let lines = summary_approved_by(report, &Sample::default(), Some(&approve));
            output::text(&style::styled(&lines, style::colour_on(&std::io::stdout())))?;
        }
    }
    Ok(exit(report.reason))
}

/// As `usersync run` ends.
pub const fn exit(reason: Reason) -> Exit {
    match reason.verdict() {
        Verdict::Completed => Exit::Completed,
        Verdict::Rejects => Exit::Rejects,
        Verdict::Held => Exit::Held,
        Verdict::Failed => Exit::Failed,
    }
}

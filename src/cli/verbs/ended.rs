//! How a run ended, as its status says it: for people and as the object that `report.json` holds.

use crate::{
    api::UserSyncRun,
    cli::{Exit, output, style},
    control::told::report_of,
    host::place::{Kept, Place},
    model::{
        reason::{Reason, Verdict},
        report::{RunReport, Sample},
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

/// The report of a run that ended: what is kept beside it in a folder that can be read here, or else what its status says. None: it
/// has not ended.
pub async fn report(place: &dyn Place, run: &UserSyncRun) -> Option<RunReport> {
    let said = report_of(run)?;
    Some(match place.kept(run, Kept::Report).await {
        Ok(text) => with_kept(said, &text),
        Err(_) => said,
    })
}

/// What the status says, with the `report.json` that is kept beside the run.
pub fn with_kept(said: RunReport, text: &[u8]) -> RunReport {
    match serde_json::from_slice::<RunReport>(text) {
        // The status is the later word.
        Ok(kept) if kept.run == said.run => {
            RunReport { reason: said.reason, message: said.message, reports: said.reports, ..kept }
        }
        _ => said,
    }
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

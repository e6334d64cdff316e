//! Waiting for a run: shows how far it is, and ends as it does.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

use super::{VerbError, ended};
use crate::{
    api::{Trigger, UserSyncRun, UserSyncStatus, duration},
    cli::{Exit, progress::Bar},
    control::cause::{run_name_of, token_digest},
    host::place::{Found, Place},
    model::{condition::STALLED, sync::Cause},
    ports::Watch,
};

/// How often to look.
const EVERY: Duration = Duration::from_millis(250);

/// Whether to wait.
#[derive(Debug, Args)]
pub struct Waiting {
    /// Wait for the run, show how far it is, and end with its exit code
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after this long; the run goes on
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "wait", value_parser = duration)]
    timeout: Duration,
}

impl Waiting {
    /// Whether to wait at all.
    pub fn wanted(&self) -> bool {
        self.wait
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<duration::Duration>().map(duration::Duration::get).map_err(|error| error.to_string())
}

/// What is waited for.
pub struct Awaited<'a> {
    /// The sync.
    pub sync: &'a str,
    /// What the run is for: its name follows from that.
    pub cause: Cause,
    /// The annotation that asks for it, and its value.
    pub asked: Option<(String, String)>,
}

/// Waits for the run's end and prints it.
pub async fn wait(place: &dyn Place, awaited: Awaited<'_>, waiting: &Waiting) -> Result<Exit, VerbError> {
    let until = Instant::now() + waiting.timeout;
    let bar = Bar::new(awaited.sync);
    loop {
        let found = place.sync(awaited.sync).await?;
        let name = found.metadata.uid.as_ref().map(|_| run_name_of(&found.metadata, &awaited.cause));
        let run = match &name {
            Some(name) => place.run(name).await?,
            None => None,
        };
        if let Some(run) = &run {
            show(&bar, run);
            if let Some(report) = ended::report(place, run).await {
                bar.clear();
                return Ok(ended::print(place, &report, ended::Format::Text)?);
            }
        } else if let Some(why) = never(&found, &awaited, name.as_deref()) {
            bar.clear();
            return Err(VerbError::Unfit(format!("{}: {why}", awaited.sync)));
        }
        if Instant::now() >= until {
            bar.clear();
            let state = match run {
                Some(run) => format!("the run {} has not ended", run.metadata.name.unwrap_or_default()),
                None => "the run has not begun".to_owned(),
            };
            eprintln!(
                "usersync: {}: {state} within the time of --timeout; what was asked for still counts",
                awaited.sync
            );
            return Ok(Exit::Failed);
        }
        sleep(EVERY).await;
    }
}

fn show(bar: &Bar, run: &UserSyncRun) {
    if let Some(progress) = run.status.as_ref().and_then(|status| status.progress) {
        bar.at(progress);
    }
}

/// Why the run will not come, if that can be known.
fn never(found: &Found, awaited: &Awaited<'_>, run: Option<&str>) -> Option<String> {
    let status = &found.status;
    if run.is_some_and(|run| mentioned(status, run)) {
        return Some("the run has ended, and was removed already (spec.history)".to_owned());
    }
    let current = found.metadata.generation.is_some() && status.observed_generation == found.metadata.generation;
    let stalled = status.conditions.iter().find(|said| said.type_ == STALLED && said.status == "True");
    if let Some(stalled) =
        stalled.filter(|_| current && matches!(stalled_reason(status), Some("InvalidSpec" | "TargetRequired")))
    {
        return Some(format!("nothing runs until the spec is mended: {}", stalled.message));
    }
    let (annotation, token) = awaited.asked.as_ref()?;
    let is = found.metadata.annotations.as_ref().and_then(|all| all.get(annotation));
    let accepted = status.handled_tokens.contains(&digest(&awaited.cause));
    (is != Some(token) && !accepted).then(|| "somebody asked anew before this was accepted: only that runs".to_owned())
}

fn stalled_reason(status: &UserSyncStatus) -> Option<&str> {
    let said = status.conditions.iter().find(|said| said.type_ == STALLED)?;
    Some(&said.reason)
}

fn mentioned(status: &UserSyncStatus, run: &str) -> bool {
    status.active_run.as_deref() != Some(run) && status.recent_runs.iter().any(|recent| recent.name == run)
}

fn digest(cause: &Cause) -> String {
    match cause {
        Cause::UpdateNow(token) => token_digest(Trigger::UpdateNow, token),
        Cause::SimulateNow(token) => token_digest(Trigger::SimulateNow, token),
        Cause::Slot(_) | Cause::Approval { .. } => String::new(),
    }
}

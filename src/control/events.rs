//! What is told as it happens: it follows from how a status changed.

use crate::{
    api::{Mode, UserSyncStatus, usersync::status::RunSummary},
    model::{
        condition::{REQUEST_REFUSED, SOURCE_READY},
        event::{Event, EventKind},
        reason::{Reason, Verdict},
    },
};

/// What happened between two statuses of a sync.
pub fn events(before: &UserSyncStatus, after: &UserSyncStatus) -> Vec<Event> {
    let mut events = Vec::new();
    let mut tell = |kind, message: String| events.push(Event { kind, message });
    match (said(before, SOURCE_READY), said(after, SOURCE_READY)) {
        (Some(("False", _)), Some(("True", _))) => {
            tell(EventKind::SourceRecovered, "the source can be used again".to_owned());
        }
        (Some(("False", _)), _) => {}
        (_, Some(("False", why))) => tell(EventKind::SourceFailed, why.to_owned()),
        _ => {}
    }
    if let Some(run) =
        after.last_run.as_ref().filter(|run| before.last_run.as_ref().map(|l| &l.name) != Some(&run.name))
    {
        tell(kind(run), outcome(run));
    }
    if let Some(run) = after.active_run.as_ref().filter(|run| before.active_run.as_ref() != Some(run)) {
        tell(EventKind::RunStarted, format!("run {run} starts"));
    }
    if let (None, Some((_, why))) = (said(before, REQUEST_REFUSED), said(after, REQUEST_REFUSED)) {
        tell(EventKind::RequestRefused, why.to_owned());
    }
    events
}

fn said<'a>(status: &'a UserSyncStatus, kind: &str) -> Option<(&'a str, &'a str)> {
    let said = status.conditions.iter().find(|said| said.type_ == kind)?;
    Some((&said.status, &said.message))
}

fn kind(run: &RunSummary) -> EventKind {
    match Reason::named(&run.reason).map(Reason::verdict) {
        Some(Verdict::Completed | Verdict::Rejects) => EventKind::RunCompleted,
        Some(Verdict::Held) => EventKind::RunHeld,
        Some(Verdict::Failed) | None => EventKind::RunFailed,
    }
}

fn outcome(run: &RunSummary) -> String {
    let mode = match run.mode {
        Mode::Import => "import",
        Mode::Simulation => "simulation",
    };
    let file = run.file.as_ref().map(|file| format!(" of {}", file.name)).unwrap_or_default();
    let counts = &run.counts;
    format!(
        "{mode}{file}: {}: {} added, {} updated, {} removed, {} rejected ({})",
        run.reason, counts.added, counts.updated, counts.removed, counts.rejected, run.name
    )
}

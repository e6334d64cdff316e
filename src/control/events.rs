//! What is told as it happens: it follows from how a status changed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    api::{Counts, Mode, UserSyncStatus, usersync::status::RunSummary},
    model::{
        condition::{FILE_OVERDUE, NOTIFIED, REQUEST_REFUSED, SOURCE_READY, SYNCED, UNFINISHED},
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
    let ended =
        after.last_run.as_ref().filter(|run| before.last_run.as_ref().map(|last| &last.name) != Some(&run.name));
    if let Some(run) = ended {
        tell(kind(run), outcome(run, said(after, SYNCED).map(|(_, why)| why)));
    }
    if let Some(run) = after.active_run.as_ref().filter(|run| before.active_run.as_ref() != Some(run)) {
        tell(EventKind::RunStarted, format!("{} starts: run {run}", asked(before, after)));
    }
    match (left(before), left(after)) {
        (Some(_), None) => tell(EventKind::Finished, "what was left to do after an import is done".to_owned()),
        (was, Some(is)) if was.is_none_or(|was| was.reason != is.reason) => {
            tell(EventKind::Unfinished, is.message.clone());
        }
        _ => {}
    }
    match (said(before, NOTIFIED), said(after, NOTIFIED)) {
        (None, Some((_, why))) => tell(EventKind::NotNotified, why.to_owned()),
        (Some(_), None) => tell(EventKind::Notified, "nobody waits any more to be told of a run".to_owned()),
        _ => {}
    }
    match (said(before, FILE_OVERDUE), said(after, FILE_OVERDUE)) {
        (None, Some((_, why))) => tell(EventKind::FileOverdue, why.to_owned()),
        (Some(_), None) => tell(EventKind::FileArrived, "no file is overdue any more".to_owned()),
        _ => {}
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

fn left(status: &UserSyncStatus) -> Option<&Condition> {
    status.conditions.iter().find(|said| said.type_ == UNFINISHED)
}

fn kind(run: &RunSummary) -> EventKind {
    match Reason::named(&run.reason).map(Reason::verdict) {
        Some(Verdict::Completed | Verdict::Rejects) => EventKind::RunCompleted,
        Some(Verdict::Held) => EventKind::RunHeld,
        Some(Verdict::Failed) | None => EventKind::RunFailed,
    }
}

/// What has started the run that was claimed: what the status notes with the claim.
fn asked(before: &UserSyncStatus, after: &UserSyncStatus) -> &'static str {
    if before.last_schedule_time != after.last_schedule_time {
        "a scheduled import"
    } else if before.last_handled_update_now != after.last_handled_update_now {
        "an import that update-now asks for"
    } else if before.last_handled_simulate_now != after.last_handled_simulate_now {
        "a simulation that simulate-now asks for"
    } else {
        "an approved import"
    }
}

/// `why` is what the last import says of itself.
fn outcome(run: &RunSummary, why: Option<&str>) -> String {
    let mode = match run.mode {
        Mode::Import => "import",
        Mode::Simulation => "simulation",
    };
    let file = run.file.as_ref().map(|file| format!(" of {}", file.name)).unwrap_or_default();
    let why = why.filter(|_| run.mode == Mode::Import);
    let Counts { added, updated, removed, rejected, .. } = run.counts;
    let words = match (Reason::named(&run.reason), why) {
        (Some(Reason::NoFile), _) => "there was no file".to_owned(),
        (Some(Reason::Held), Some(why)) => format!("held, nothing was written: {why}"),
        (Some(Reason::Held), None) => "would be held".to_owned(),
        (Some(reason), Some(why)) if reason.verdict() == Verdict::Failed => format!("failed ({reason}): {why}"),
        (Some(reason), None) if reason.verdict() == Verdict::Failed => format!("failed ({reason})"),
        _ if run.mode == Mode::Simulation => {
            format!("would add {added}, update {updated}, remove {removed}, reject {rejected}")
        }
        _ => format!("{added} added, {updated} updated, {removed} removed, {rejected} rejected"),
    };
    format!("{mode}{file}: {words}; run {}", run.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::FileReport;

    fn ended(mode: Mode, reason: &str) -> Option<RunSummary> {
        Some(RunSummary {
            name: "hr-1".into(),
            mode,
            reason: reason.into(),
            start_time: None,
            completion_time: None,
            file: Some(FileReport { name: "a.csv".into(), size: 1, sha256: None, rows: None, correction: false }),
            counts: Counts { added: 2, removed: 1, ..Counts::default() },
            reports: Default::default(),
        })
    }

    fn status(conditions: &[(&str, &str, &str)], run: Option<RunSummary>) -> UserSyncStatus {
        let conditions = conditions.iter().map(|(kind, status, message)| {
            serde_json::from_value(serde_json::json!({
                "type": kind, "status": status, "reason": "R", "message": message,
                "lastTransitionTime": "2026-11-22T00:00:00Z",
            }))
        });
        let conditions = conditions.collect::<Result<_, _>>().unwrap();
        UserSyncStatus { conditions, last_run: run, ..UserSyncStatus::default() }
    }

    #[test]
    fn what_changed_is_told_once() {
        let down = [("SourceReady", "False", "no answer")];
        let up = [("SourceReady", "True", "")];
        let held = [("SourceReady", "True", ""), ("Synced", "False", "would remove 9")];
        let cases: &[(UserSyncStatus, UserSyncStatus, &[(EventKind, &str)])] = &[
            (status(&[], None), status(&up, None), &[]),
            (status(&up, None), status(&down, None), &[(EventKind::SourceFailed, "no answer")]),
            (status(&[], None), status(&down, None), &[(EventKind::SourceFailed, "no answer")]),
            (status(&down, None), status(&down, None), &[]),
            (status(&down, None), status(&up, None), &[(EventKind::SourceRecovered, "the source can be used again")]),
            (
                status(&up, None),
                status(&up, ended(Mode::Import, "Completed")),
                &[(EventKind::RunCompleted, "import of a.csv: 2 added, 0 updated, 1 removed, 0 rejected; run hr-1")],
            ),
            (
                status(&up, None),
                status(&up, ended(Mode::Simulation, "Completed")),
                &[(
                    EventKind::RunCompleted,
                    "simulation of a.csv: would add 2, update 0, remove 1, reject 0; run hr-1",
                )],
            ),
            (status(&up, ended(Mode::Import, "Completed")), status(&up, ended(Mode::Import, "Completed")), &[]),
            (
                status(&up, None),
                status(&held, ended(Mode::Import, "Held")),
                &[(EventKind::RunHeld, "import of a.csv: held, nothing was written: would remove 9; run hr-1")],
            ),
            (
                status(&up, None),
                status(&held, ended(Mode::Simulation, "TargetFailed")),
                &[(EventKind::RunFailed, "simulation of a.csv: failed (TargetFailed); run hr-1")],
            ),
        ];
        for (before, after, wanted) in cases {
            let told: Vec<_> = events(before, after).into_iter().map(|event| (event.kind, event.message)).collect();
            let wanted: Vec<_> = wanted.iter().map(|(kind, message)| (*kind, (*message).to_owned())).collect();
            assert_eq!(told, wanted);
        }
    }

    #[test]
    fn what_is_left_to_do_is_told_when_it_is_and_when_it_is_done() {
        let left = |reason: &str, message| {
            let mut status = status(&[("Unfinished", "True", message)], None);
            status.conditions[0].reason = reason.into();
            status
        };
        let (none, moved) = (status(&[], None), left("FileNotMoved", "a.csv is a file"));
        for (before, after, wanted) in [
            (&none, &moved, Some((EventKind::Unfinished, "a.csv is a file"))),
            (&moved, &left("FileNotMoved", "b.csv, why ever"), None),
            (&moved, &left("ReportNotPublished", "no room"), Some((EventKind::Unfinished, "no room"))),
            (&moved, &none, Some((EventKind::Finished, "what was left to do after an import is done"))),
            (&none, &none, None),
        ] {
            let told = events(before, after);
            let told = told.first().map(|event| (event.kind, event.message.as_str()));
            assert_eq!(told, wanted);
        }
    }

    #[test]
    fn a_start_says_what_asked_for_it() {
        let before = status(&[], None);
        let claimed = UserSyncStatus {
            active_run: Some("hr-2".into()),
            last_handled_update_now: Some("a".into()),
            ..before.clone()
        };
        let told = events(&before, &claimed);
        assert_eq!(told[0].message, "an import that update-now asks for starts: run hr-2");
        assert_eq!(events(&claimed, &claimed), []);
    }
}

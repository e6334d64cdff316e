//! Who is to be told of a run, and how that stands. Pure: it follows from the run's own copy of the spec, from how the run ended
//! and from what its status says of earlier tries.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    cause::{ended_at, verdict},
    job::{DEFAULT_NAMESPACE, mailbox, shown_in},
    overdue::overdue_at,
    schedule::next,
    told::report_of,
};
use crate::{
    api::{
        Delivery, DeliveryKind, DeliveryState, Mode, Trigger, UserSync, UserSyncRun, UserSyncRunStatus, UserSyncStatus,
        usersync::{report::EmailSpec, status::FileAlert},
    },
    model::{
        approving::Approving,
        condition::{ConditionReason, FILE_OVERDUE, UNFINISHED},
        counts::Counts,
        job::SyncId,
        letter::LetterKind,
        reason::Reason,
        report::RunReport,
        view::Memory,
    },
    sync::render::letter::{About, wanted},
};

/// The recipient that stands for the webhook.
pub const WEBHOOK: &str = "webhook";
/// What is said of a run that had a file and has no report.
const NO_REPORT: &str = "the report of this run could not be kept: this is all that is known of it";
/// How long it is tried.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(72);
/// Characters of a message.
const MESSAGE: usize = 1024;

/// What the run owes whom, in the order in which it is sent. Nothing before it has ended.
pub fn owed(run: &UserSyncRun) -> Vec<(DeliveryKind, String)> {
    let Some(report) = &run.spec.sync_spec.report else { return Vec::new() };
    let Some(status) = &run.status else { return Vec::new() };
    let Some(reason) = verdict(status).and_then(|(_, reason, _)| Reason::named(reason)) else { return Vec::new() };
    // What it met was told already.
    if status.basis.as_ref().is_some_and(|basis| basis.outage.is_some()) {
        return Vec::new();
    }
    let counts = status.counts.unwrap_or_default();
    let reason = news(reason, &counts);
    let mut owed = Vec::new();
    if let Some(email) = &report.email {
        for kind in wanted(run.spec.mode, reason, &counts, &readers(email, requested(run))) {
            match kind {
                LetterKind::FailedImport => each(&mut owed, DeliveryKind::FailedImport, &[&email.failed_import_to]),
                LetterKind::Summary => each(&mut owed, DeliveryKind::Summary, &[&email.to, &email.cc, &email.bcc]),
                LetterKind::Alert => {}
            }
        }
    }
    let news = ![Reason::Stopped, Reason::Refused].contains(&reason) && (reason != Reason::NoFile || requested(run));
    if report.webhook.is_some() && news {
        owed.push((DeliveryKind::Webhook, WEBHOOK.to_owned()));
    }
    owed
}

/// What people are told of a run that ended like this. Where an earlier attempt committed it, that one's end: nobody has been told
/// of it yet.
fn news(reason: Reason, counts: &Counts) -> Reason {
    match reason {
        Reason::AlreadyApplied if counts.rejected > 0 => Reason::CompletedWithRejects,
        Reason::AlreadyApplied => Reason::Completed,
        reason => reason,
    }
}

/// Where what is sent of a run that has ended comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was written with the run's report, and is kept with it: now, or as soon as that is published.
    Report,
    /// The same, unless the report is gone with the machine that had it.
    ReportIfAny,
    /// The run has no report and gets none: it ended before there was one, or none could be kept. Its status is all there is.
    Status,
}

/// Where what is sent of the run comes from.
pub fn origin(run: &UserSyncRun) -> Origin {
    let Some(status) = &run.status else { return Origin::Status };
    let reason = verdict(status).and_then(|(_, reason, _)| Reason::named(reason));
    let published = status.reports.as_ref().is_some_and(|reports| reports.report.is_some());
    let done = [Some(Reason::Completed), Some(Reason::CompletedWithRejects)].contains(&reason);
    let not_yet = ConditionReason::ReportNotPublished.as_str();
    let later = status.conditions.iter().any(|said| said.type_ == UNFINISHED && said.reason == not_yet);
    match reason {
        _ if published || later => Origin::Report,
        // The report of what this attempt committed lies in the spool, and is published sooner or later.
        _ if done && run.spec.mode == Mode::Import => Origin::Report,
        Some(Reason::AlreadyApplied) if status.conditions.iter().any(|said| said.type_ == UNFINISHED) => Origin::Report,
        Some(Reason::AlreadyApplied) => Origin::ReportIfAny,
        _ => Origin::Status,
    }
}

/// The run as people are told of it where its status is all there is: what it says, and that there is no report. None: it has
/// not ended.
pub fn reported(run: &UserSyncRun) -> Option<RunReport> {
    let mut report = report_of(run)?;
    report.reason = news(report.reason, &report.counts);
    if report.file.is_some() {
        report.warnings.push(NO_REPORT.to_owned());
    }
    Some(report)
}

/// Whether somebody asked for the run who waits for an answer. The command line gives its runs their own name as token: whoever
/// typed it has the answer before them.
pub fn requested(run: &UserSyncRun) -> bool {
    run.spec.trigger != Trigger::Schedule && run.spec.token != run.metadata.name
}

/// Each recipient once, whatever the lists.
fn each(owed: &mut Vec<(DeliveryKind, String)>, kind: DeliveryKind, lists: &[&Vec<String>]) {
    let mut seen = BTreeSet::new();
    let addresses = lists.iter().flat_map(|list| list.iter()).filter_map(|text| mailbox(text).ok());
    for mailbox in addresses {
        if seen.insert(mailbox.address.to_lowercase()) {
            owed.push((kind, mailbox.address));
        }
    }
}

/// What letters of the run must know besides what its status says, by its own copy of the spec. None: nobody is told by mail.
pub fn about(run: &UserSyncRun, instance: &str, approving: Approving) -> Option<About> {
    let spec = &run.spec.sync_spec;
    let email = spec.report.as_ref()?.email.as_ref()?;
    let namespace = run.metadata.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    Some(About {
        sync: SyncId { instance: instance.to_owned(), namespace, name: run.spec.sync.clone() },
        next: ended_at(run).and_then(|ended| next_run(run, ended)),
        zone: shown_in(spec),
        files: spec.files().unwrap_or_default().to_owned(),
        approving,
        ..readers(email, requested(run))
    })
}

/// When the schedule starts the next run after this moment, if it goes by time.
pub fn next_run(run: &UserSyncRun, after: Timestamp) -> Option<Timestamp> {
    let schedule = run.spec.sync_spec.schedule.as_ref().filter(|schedule| schedule.every.is_none())?;
    // The name counts for `every` alone.
    next(schedule, &run.spec.sync, after)
}

/// As much as decides which letters there are.
fn readers(email: &EmailSpec, requested: bool) -> About {
    About {
        sync: SyncId { instance: String::new(), namespace: String::new(), name: String::new() },
        when: email.when,
        to_anyone: [&email.to, &email.cc, &email.bcc].iter().any(|list| !list.is_empty()),
        failed_import_to_anyone: !email.failed_import_to.is_empty(),
        simulations: email.simulations,
        requested,
        next: None,
        zone: jiff::tz::TimeZone::UTC,
        files: String::new(),
        approving: Approving::default(),
        staged: Vec::new(),
    }
}

/// How what the run owes stands. What was never tried is waiting, without a time.
pub fn standing(run: &UserSyncRun) -> Vec<Delivery> {
    joined(owed(run), run.status.as_ref().map_or(&[][..], |status| &status.deliveries))
}

fn joined(owed: Vec<(DeliveryKind, String)>, said: &[Delivery]) -> Vec<Delivery> {
    let one = |(kind, to): (DeliveryKind, String)| {
        let known = said.iter().find(|said| said.kind == kind && said.to == to).cloned();
        known.unwrap_or(Delivery { kind, to, state: DeliveryState::Waiting, time: None, reason: None, message: None })
    };
    owed.into_iter().map(one).collect()
}

/// Whether there is still something to be sent.
pub fn open(run: &UserSyncRun) -> bool {
    standing(run).iter().any(|delivery| delivery.state == DeliveryState::Waiting)
}

/// Whether there is something that is not sent: it waits, or was refused.
pub fn unsettled(run: &UserSyncRun) -> bool {
    standing(run).iter().any(|delivery| delivery.state != DeliveryState::Sent)
}

/// The status with what a try has come to. None: it says so already. What waits for as long as `GIVEN_UP` after the run's end
/// is refused.
pub fn noted(run: &UserSyncRun, tried: &[Delivery], now: Timestamp) -> Option<UserSyncRunStatus> {
    let mut status = run.status.clone()?;
    let old = ended_at(run).is_some_and(|ended| now.duration_since(ended) >= GIVEN_UP);
    let after = merged(standing(run), tried, old, now);
    (after != status.deliveries).then(|| {
        status.deliveries = after;
        status
    })
}

/// What was known, with what was tried; without what was never tried.
fn merged(standing: Vec<Delivery>, tried: &[Delivery], old: bool, now: Timestamp) -> Vec<Delivery> {
    let one = |before: Delivery| {
        let after = tried.iter().find(|tried| tried.kind == before.kind && tried.to == before.to);
        let Some(mut after) = after.cloned() else { return before };
        if after.state == DeliveryState::Waiting && old {
            after.state = DeliveryState::Refused;
            let why = after.message.unwrap_or_default();
            after.message = Some(format!("given up after three days: {why}"));
        }
        // Told again only if something else is to be told: not with each try.
        if before.time.is_some() && (before.state, &before.reason) == (after.state, &after.reason) {
            return before;
        }
        after.message = after.message.map(|message| message.chars().take(MESSAGE).collect());
        Delivery { time: Some(Time(now)), ..after }
    };
    standing.into_iter().map(one).filter(|delivery| delivery.time.is_some()).collect()
}

/// What stands for a run in the tidings of an alert: no run has such a name, and each time without a file has its own.
pub fn alert_name(status: &UserSyncStatus) -> Option<String> {
    status.file_expected_since.as_ref().map(|since| format!("no file since {}", since.0))
}

/// How it stands with those who are to be told that no file came, while none comes. What was never tried is waiting, without a
/// time.
pub fn alert_standing(sync: &UserSync, status: &UserSyncStatus) -> Vec<Delivery> {
    let overdue = status.conditions.iter().any(|said| said.type_ == FILE_OVERDUE);
    let Some(report) = sync.spec.report.as_ref().filter(|_| overdue) else { return Vec::new() };
    let mut owed = Vec::new();
    if let Some(email) = &report.email {
        each(&mut owed, DeliveryKind::Alert, &[&email.to, &email.cc, &email.bcc]);
    }
    if report.webhook.is_some() {
        owed.push((DeliveryKind::Webhook, WEBHOOK.to_owned()));
    }
    let known = status.file_alert.as_ref().filter(|alert| Some(&alert.since) == status.file_expected_since.as_ref());
    joined(owed, known.map_or(&[][..], |alert| &alert.deliveries))
}

/// Whether somebody is still to be told that no file came.
pub fn alert_open(sync: &UserSync) -> bool {
    let standing = sync.status.as_ref().map(|status| alert_standing(sync, status)).unwrap_or_default();
    standing.iter().any(|one| one.state == DeliveryState::Waiting)
}

/// Who was told that no file came, with what the last try has come to. None: it says so already.
pub fn alert_noted(sync: &UserSync, status: &UserSyncStatus, memory: &Memory, now: Timestamp) -> Option<FileAlert> {
    let name = alert_name(status)?;
    let tried = memory.posted.as_ref()?.tidings.iter().find(|tidings| tidings.run == name)?;
    let (since, standing) = (status.file_expected_since.clone()?, alert_standing(sync, status));
    let old = overdue_at(sync, status).is_some_and(|at| now.duration_since(at) >= GIVEN_UP);
    let deliveries = merged(standing, &tried.deliveries, old, now);
    let said = status.file_alert.as_ref().map_or(&[][..], |alert| &alert.deliveries);
    (deliveries != said).then_some(FileAlert { since, deliveries })
}

/// Why somebody could not be told, if there is such a delivery: reason, and the first of them in words.
pub fn trouble<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> Option<(String, String)> {
    let mut found = deliveries.into_iter().filter(|delivery| delivery.state != DeliveryState::Sent);
    let first = found.next()?;
    let more = found.count();
    let reason = first.reason.clone().unwrap_or_else(|| ConditionReason::MailUnreachable.to_string());
    let why = first.message.as_deref().unwrap_or("it could not be sent");
    let more = if more > 0 {
        format!("\nThe same or something else stands in the way of {more} more.")
    } else {
        String::new()
    };
    Some((reason, format!("{} to {}: {why}{more}", what(first.kind), first.to)))
}

fn what(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Summary => "the summary",
        DeliveryKind::FailedImport => "the mail about rejected rows",
        DeliveryKind::Webhook => "the POST",
        DeliveryKind::Alert => "the alert",
    }
}

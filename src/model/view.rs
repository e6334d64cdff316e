//! What the control path looks at to decide, and what it decides.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    file::{Fetched, Stamp},
    job::{Approval, Bounds},
    post::Tidings,
    sync::{Failure, Fitness, Tried, Unfinished},
};
use crate::api::{UserSync, UserSyncRun, UserSyncRunStatus, UserSyncStatus};

/// A sync as its host sees it.
#[derive(Clone, Debug)]
pub struct View {
    /// The resource.
    pub sync: Result<UserSync, Malformed>,
    /// Its runs, in no order: all of them if `live`, else those that may need something (at work, approved, unknown).
    pub runs: Vec<UserSyncRun>,
    /// Read from where the truth is just now, not from a cache that may lag behind. Only then anything may be done.
    pub live: bool,
    /// The spec must name its database: there is no embedded one here.
    pub target_required: bool,
    /// Where the folders and SQLite files that the spec names may lie; None: anywhere.
    pub bounds: Option<Bounds>,
}

/// A resource that can't be read as a UserSync, or has problems that only this host sees.
#[derive(Clone, Debug)]
pub struct Malformed {
    /// As far as it is known: name, namespace, UID, generation, resource version.
    pub metadata: ObjectMeta,
    /// Its status, as far as that can be read.
    pub status: UserSyncStatus,
    /// Every problem, a line each.
    pub message: String,
}

/// What a process remembers of a sync. A new process starts with nothing, and nothing is lost by that.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The run that this process works on.
    pub at_work: Option<String>,
    /// What came of that run, until it is noted.
    pub ended: Option<Attempted>,
    /// What the run at work waits for to get better.
    pub trouble: Option<Failure>,
    /// What was found out last about source and target.
    pub probed: Option<Probed>,
    /// What this process is asking just now, or finishing.
    pub asking: Option<Asking>,
    /// Whether the last question could not be put.
    pub unasked: bool,
    /// The last look into the folder, of a schedule `every`.
    pub looked: Option<Looked>,
    /// Files that the schedule passes over with this generation, as the runs said when they were seen last.
    pub tried: Option<(i64, Vec<Tried>)>,
    /// The run at work was told to hurry.
    pub hurried: bool,
    /// The last try to finish what runs have left to do, since the last of them.
    pub finished: Option<Finished>,
    /// Whether this process is sending mails just now.
    pub posting: bool,
    /// The last try to send what runs owe.
    pub posted: Option<PostedLast>,
    /// Until then no runs are forgotten: some are being forgotten just now, or could not be.
    pub forgetting: Option<Timestamp>,
}

/// A question that was put and has no answer yet. It ends, sooner or later, and then everything is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The generation of the spec.
    pub generation: i64,
    /// What is asked.
    pub what: Question,
    /// Since when.
    pub since: Timestamp,
}

/// What source and target are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether they can be used.
    Probe,
    /// What lies in the folder.
    Look,
    /// To finish what runs have left to do: no run works meanwhile, which would do the same.
    Finish,
}

/// A try to finish what runs have left to do.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The generation of the spec.
    pub generation: i64,
    /// When it ended.
    pub at: Timestamp,
    /// How many tries in a row left something.
    pub failures: u32,
    /// What is left; None: nothing. The failure is why that can't be said.
    pub left: Result<Option<Unfinished>, Failure>,
}

/// A try to send what runs owe.
#[derive(Clone, Debug)]
pub struct PostedLast {
    /// When it ended.
    pub at: Timestamp,
    /// How many tries in a row left something to be tried again.
    pub failures: u32,
    /// Whether nothing but a person can mend it: a login that is tried again and again may be locked.
    pub denied: bool,
    /// What came of it, until it is noted in the runs.
    pub tidings: Vec<Tidings>,
}

/// An attempt to carry out a run that has come to its end.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The run's name.
    pub run: String,
    /// The attempt's own word, as the run has it while it works.
    pub attempt: String,
    /// How it would have the run end.
    pub status: UserSyncRunStatus,
}

/// A probe.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The generation of the spec.
    pub generation: i64,
    /// When it ended.
    pub at: Timestamp,
    /// How many probes in a row found the same trouble; 0 after a good one.
    pub failures: u32,
    /// When a login was tried last.
    pub login: Option<Timestamp>,
    /// What it found.
    pub fitness: Fitness,
}

/// A look into the folder.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The generation of the spec.
    pub generation: i64,
    /// The slot it was for.
    pub slot: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// What there is for a run to do.
    pub found: Sight,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// No file to take.
    Nothing,
    /// A file that may still be uploaded: first seen like this then.
    Growing(Stamp, Timestamp),
    /// A file to take.
    File(Stamp),
    /// It could not be found out.
    Failed(Failure),
}

/// A run to be carried out.
#[derive(Clone, Debug)]
pub struct Order {
    /// The run.
    pub run: UserSyncRun,
    /// What was approved, of a run with trigger Approval.
    pub approval: Option<Approval>,
    /// Files that a scheduled run passes over; None: an explicit run passes over none.
    pub tried: Option<Vec<Tried>>,
    /// The file for which a poll started the run: it has stood still for `stableFor` already.
    pub settled: Option<Stamp>,
    /// Until when a scheduled run tries again if source or target can't be reached.
    pub until: Option<Timestamp>,
}

/// The next step: one effect, then everything is looked at again.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Nothing to do until then, or until something changes.
    Wait(Option<Timestamp>),
    /// What was seen lags behind: what to do follows from what is there now.
    Refresh,
    /// Write this status, unless the resource has changed meanwhile.
    Note(Box<UserSyncStatus>),
    /// Make this run, which the status has claimed.
    Create(Box<UserSyncRun>),
    /// Carry this run out.
    Execute(Box<Order>),
    /// Note how a run ended, unless that is noted already.
    End(Box<UserSyncRun>, Box<UserSyncRunStatus>),
    /// Another process has carried this run on: what this one's attempt came to does not count.
    Leave(String),
    /// The run at work waits for a server, and somebody else waits for its end: let it try now, for the last time.
    Hurry(String),
    /// Forget these runs: `spec.history` keeps others.
    Forget(Vec<UserSyncRun>),
    /// Find out whether source and target can be used; without `login` only read the references.
    Probe {
        /// Log in to both.
        login: bool,
    },
    /// Look into the folder, for this slot of `every`.
    Look {
        /// The slot.
        slot: Timestamp,
        /// Files that are passed over; None: that must be found out from the runs.
        tried: Option<Vec<Tried>>,
    },
    /// Send what these runs owe those who are to be told.
    Deliver(Vec<UserSyncRun>),
    /// Note in the status of a run that has ended who was told of it.
    Tell(Box<UserSyncRun>, Box<UserSyncRunStatus>),
    /// Finish what runs have left to do.
    Finish {
        /// Files that could not be set aside after their runs had failed.
        aside: Vec<Fetched>,
    },
}

impl Decision {
    /// Whether this may only be done on what was read just now: everything but looking, and saying how a sync without a run at
    /// work is. (A status is written only over the very resource that was seen.)
    pub fn needs_truth(&self, seen: &View) -> bool {
        match self {
            Self::Wait(_) | Self::Probe { .. } | Self::Look { tried: Some(_), .. } => false,
            Self::Note(status) => !seen.sync.as_ref().is_ok_and(|sync| same_of_runs(sync.status.as_ref(), status)),
            _ => true,
        }
    }
}

/// Whether two statuses say the same of runs and requests, and no run is at work.
fn same_of_runs(before: Option<&UserSyncStatus>, after: &UserSyncStatus) -> bool {
    let of_runs = |status: &UserSyncStatus| UserSyncStatus {
        observed_generation: None,
        conditions: Vec::new(),
        checked_spec: None,
        connection: None,
        schedule: None,
        next_schedule_time: None,
        file_expected_since: None,
        ..status.clone()
    };
    after.active_run.is_none() && before.map(of_runs).unwrap_or_default() == of_runs(after)
}

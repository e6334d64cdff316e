//! How a run ends, and what is known of it meanwhile.

use std::{io, time::Instant};

use jiff::Timestamp;

use crate::{
    api::Mode,
    model::{
        condition::ConditionReason,
        counts::Counts,
        file::Stamp,
        job::{Job, Shown},
        ledger::LedgerRow,
        progress::Step,
        reason::Reason,
        report::{FileReport, GuardReport, Looked, LookedName, Reports, RunReport, Sample, Timings},
        sync::{Failure, Unfinished},
    },
    ports::{ReportError, SourceError, StoreError},
    sync::decode::DecodeError,
};

/// A run that has ended: its report, and the first of its changes and rejects.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What `run -o json` prints and `report.json` holds.
    pub report: RunReport,
    /// For the summary.
    pub sample: Sample,
    /// What a person sees who is asked to approve a held run.
    pub shown: Shown,
    /// The file that was chosen.
    pub file: Option<Stamp>,
    /// Whether there are later files to take.
    pub more: bool,
    /// The committed run that was the last one when this one began: what an approval of it goes by.
    pub last: Option<String>,
    /// What is left to do.
    pub unfinished: Option<Unfinished>,
}

/// Why a run ended without its import.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report could not be kept.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The table doesn't fit the mapping.
    #[error("{}", .0.join("\n"))]
    Table(Vec<String>),
    /// The file can't be imported.
    #[error("{0}")]
    File(String),
    /// The file is larger than `maxSize`.
    #[error("{0}")]
    TooLarge(String),
    /// The approval is not for what would happen.
    #[error("{0}")]
    Outdated(String),
    /// Whoever started the run wants it to end before anything is written.
    #[error("the run was stopped before anything was written")]
    Stopped,
    /// This machine's disk failed.
    #[error("the spool folder can't be used: {0}; is the disk full?")]
    Local(#[from] io::Error),
}

/// Another process works on the same sync, and has begun after this attempt: what this one came to is not how the run
/// ended. The message is whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TakenOver(pub String);

impl RunError {
    /// A file that can't be read: its own fault, unless this machine's disk is to blame. `place` says which file or row.
    pub(super) fn decoding(place: &str, error: DecodeError) -> Self {
        match error {
            DecodeError::Io(error) => Self::Local(error),
            error => Self::File(format!("{place}: {error}")),
        }
    }

    /// Reason and message.
    pub fn failure(&self) -> Failure {
        Failure { reason: self.reason(), message: self.to_string() }
    }

    /// The run's reason.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Source(error) => error.reason(),
            Self::Store(error) => error.reason(),
            Self::Report(_) | Self::Local(_) => Reason::LocalFailed,
            Self::Table(_) => Reason::TargetInvalid,
            Self::File(_) => Reason::InvalidFile,
            Self::TooLarge(_) => Reason::FileTooLarge,
            Self::Outdated(_) => Reason::ApprovalOutdated,
            Self::Stopped => Reason::Stopped,
        }
    }
}

/// How the steps of a run ended.
pub(super) struct Ending {
    pub reason: Reason,
    /// How far its report is.
    pub told: Told,
}

/// How far the report of a run that has ended is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// There is none yet.
    Nothing,
    /// It is complete in the spool.
    Staged,
    /// It is published, or stays in the spool until a later run publishes it: the ledger says so.
    Settled,
}

impl Ending {
    /// An end that has nothing but its reason.
    pub fn because(reason: Reason) -> Self {
        Self { reason, told: Told::Nothing }
    }
}

/// What is known of a run while it works.
#[derive(Debug)]
pub(super) struct Record {
    pub file: Option<FileReport>,
    pub counts: Counts,
    pub guard: GuardReport,
    pub warnings: Vec<String>,
    pub reports: Reports,
    pub sample: Sample,
    pub shown: Shown,
    pub stamp: Option<Stamp>,
    /// Why there was nothing to import.
    pub nothing: Option<String>,
    /// What lay in the folder.
    pub looked: Looked,
    pub more: bool,
    pub last: Option<LedgerRow>,
    /// What is left to do, of this run or an earlier one.
    pub unfinished: Option<Unfinished>,
    started: Timestamp,
    clock: Instant,
    step: Instant,
    timings: Timings,
}

impl Record {
    pub fn begin(job: &Job) -> Self {
        Self {
            file: None,
            counts: Counts::default(),
            guard: GuardReport::default(),
            warnings: job.sync.warnings.clone(),
            reports: Reports::default(),
            sample: Sample::default(),
            shown: Shown::default(),
            stamp: None,
            nothing: None,
            looked: Looked::default(),
            more: false,
            last: None,
            unfinished: None,
            started: Timestamp::now(),
            clock: Instant::now(),
            step: Instant::now(),
            timings: Timings::default(),
        }
    }

    /// Notes that something is left to do, `about` which file or run: the first of these is told as the condition. What the run could not set aside goes
    /// before it: it is found again by this condition alone, the rest by the ledger.
    pub fn leave(&mut self, reason: ConditionReason, about: String, why: &str) {
        let message = format!("{about}: {why}");
        self.warnings.push(message.clone());
        let found_by_this = reason == ConditionReason::FileNotSetAside;
        if found_by_this || self.unfinished.is_none() {
            self.unfinished = Some(Unfinished { reason, about, message });
        }
    }

    /// Notes whether the file is a rejects file that came back.
    pub fn corrects(&mut self, correction: bool) {
        if let Some(file) = &mut self.file {
            file.correction = correction;
        }
    }

    /// Ends a step: what passed since the last one was its time.
    pub fn lap(&mut self, step: Step) {
        let seconds = self.step.elapsed().as_secs_f64();
        self.step = Instant::now();
        let timings = &mut self.timings;
        *match step {
            Step::Look => &mut timings.look,
            Step::Fetch => &mut timings.fetch,
            Step::Read => &mut timings.read,
            Step::Compare => &mut timings.compare,
            Step::Apply => &mut timings.apply,
            Step::Finish => &mut timings.finish,
        } += (seconds * 1e6).round() / 1e6;
    }

    /// The report as of now.
    pub fn report(&self, job: &Job, reason: Reason, message: String) -> RunReport {
        let timings = Timings { total: (self.clock.elapsed().as_secs_f64() * 1e6).round() / 1e6, ..self.timings };
        RunReport {
            sync: job.sync.sync.to_string(),
            run: job.run.clone(),
            mode: job.mode,
            reason,
            message,
            file: self.file.clone(),
            counts: self.counts,
            guard: self.guard.clone(),
            start_time: self.started,
            completion_time: Timestamp::now(),
            timings,
            warnings: self.warnings.clone(),
            looked: (reason == Reason::NoFile).then(|| self.looked()),
            reports: self.reports.clone(),
        }
    }

    /// What lay in the folder of which nothing was taken: not even the file that was chosen, for a reason of its own.
    fn looked(&self) -> Looked {
        let mut looked = self.looked.clone();
        let chosen = |name: &&mut LookedName| self.stamp.as_ref().is_some_and(|stamp| stamp.name == name.name);
        if let (Some(name), Some(nothing)) = (looked.names.iter_mut().find(chosen), &self.nothing) {
            (name.reason, name.why) = ("NotStable".to_owned(), nothing.clone());
        }
        looked
    }

    /// The reason of a run that has done, or would do, what it should.
    pub fn completed(&self) -> Reason {
        if self.counts.rejected > 0 { Reason::CompletedWithRejects } else { Reason::Completed }
    }

    /// The run's end in plain words.
    pub fn message(&self, job: &Job, reason: Reason) -> String {
        match reason {
            Reason::NoFile => self.nothing.clone().unwrap_or_else(|| "there was no file to import".to_owned()),
            Reason::AlreadyApplied => format!("committed before: {}", self.words(job.mode)),
            Reason::Held => self.guard.reasons.join("; "),
            _ => self.words(job.mode),
        }
    }

    /// The counts in words: `12 added, 3 updated`, of a simulation `would add 12, update 3`.
    fn words(&self, mode: Mode) -> String {
        let counts = &self.counts;
        let named = [
            (counts.added, "added", "add"),
            (counts.updated, "updated", "update"),
            (counts.removed, "removed", "remove"),
            (counts.rejected, "rejected", "reject"),
        ];
        let some = named.iter().filter(|(count, ..)| *count > 0);
        let words: Vec<_> = match mode {
            Mode::Import => some.map(|(count, done, _)| format!("{count} {done}")).collect(),
            Mode::Simulation => some.map(|(count, _, would)| format!("{would} {count}")).collect(),
        };
        match (words.is_empty(), mode) {
            (true, _) => "nothing to change".to_owned(),
            (false, Mode::Import) => words.join(", "),
            (false, Mode::Simulation) => format!("would {}", words.join(", ")),
        }
    }
}

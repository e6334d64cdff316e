//! Letters: what people are told of a run by mail. Which there are, and what each says.

mod alert;
mod failed;
mod happened;
mod subject;
mod summary;
#[cfg(test)]
mod tests;
mod when;

use jiff::{Timestamp, tz::TimeZone};

pub use self::alert::overdue;
pub(super) use self::{happened::CORRECTION, when::time};
use super::{attachment::LARGEST, text::harmless};
use crate::{
    api::{Mode, usersync::report::MailWhen},
    model::{
        approving::Approving,
        counts::Counts,
        job::SyncId,
        letter::{Attachment, Letter, LetterKind},
        reason::{Reason, Verdict},
        report::{RunReport, Sample},
    },
};

/// What a letter must know besides the report.
#[derive(Clone, Debug)]
pub struct About {
    /// Whose run it was.
    pub sync: SyncId,
    /// When `to` is told.
    pub when: MailWhen,
    /// Whether anybody gets summaries.
    pub to_anyone: bool,
    /// Whether anybody gets failed imports.
    pub failed_import_to_anyone: bool,
    /// Whether simulations are told.
    pub simulations: bool,
    /// Whether somebody asked for this run: it is answered also when there was no file.
    pub requested: bool,
    /// When the next run starts, if that is known.
    pub next: Option<Timestamp>,
    /// Where times are shown.
    pub zone: TimeZone,
    /// The glob that a file's name must match.
    pub files: String,
    /// How a held run is approved.
    pub approving: Approving,
    /// Names and sizes of the files that are staged for the report folder.
    pub staged: Vec<(String, u64)>,
}

impl About {
    /// A time as people read it.
    fn time(&self, at: Timestamp) -> String {
        when::time(at, &self.zone)
    }
}

/// The letters of a run that has ended, in the order of their kinds: none if nobody is to be told.
pub fn letters(report: &RunReport, sample: &Sample, about: &About) -> Vec<Letter> {
    let write = |kind| match kind {
        LetterKind::FailedImport => failed::failed_import(report, sample, about),
        LetterKind::Summary | LetterKind::Alert => summary::summary(report, sample, about),
    };
    wanted(report.mode, report.reason, &report.counts, about).into_iter().map(write).collect()
}

/// Those of the staged files that go along.
fn attached(about: &About, wanted: impl Fn(&str) -> bool) -> Vec<Attachment> {
    let staged = about.staged.iter().filter(|(name, _)| wanted(name));
    let attachment =
        |(file, size): &(String, u64)| Attachment { file: file.clone(), name: harmless(file), cut: *size > LARGEST };
    staged.map(attachment).collect()
}

/// Which letters a run that has ended like this is worth.
pub fn wanted(mode: Mode, reason: Reason, counts: &Counts, about: &About) -> Vec<LetterKind> {
    let verdict = reason.verdict();
    let changed = counts.added + counts.updated + counts.removed > 0;
    let amiss = matches!(verdict, Verdict::Failed | Verdict::Held);
    let worth = match about.when {
        MailWhen::Always => reason != Reason::NoFile || about.requested,
        MailWhen::OnChange => changed || amiss,
        MailWhen::OnFailure => amiss,
    };
    // A retry that found everything done says nothing twice; what UserSync did not make, or was told to stop, is no news.
    let news = !matches!(reason, Reason::AlreadyApplied | Reason::Stopped | Reason::Refused);
    let summary = about.to_anyone && news && worth && (mode == Mode::Import || about.simulations);
    // An approval that came too late is no fault of the sender.
    let failed = verdict == Verdict::Failed && reason != Reason::ApprovalOutdated;
    let senders = about.failed_import_to_anyone && news && mode == Mode::Import && (failed || counts.rejected > 0);
    let kinds = [(summary, LetterKind::Summary), (senders, LetterKind::FailedImport)];
    kinds.into_iter().filter(|(wanted, _)| *wanted).map(|(_, kind)| kind).collect()
}

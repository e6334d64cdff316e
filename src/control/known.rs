//! Which files the schedule has tried already.

use super::{
    cause::{ended, held},
    job::spec_digest,
};
use crate::{
    api::{Mode, UserSyncRun, UserSyncSpec},
    model::{
        condition::{ConditionReason, UNFINISHED},
        file::{Fetched, Stamp},
        reason::Reason,
        sync::Tried,
    },
};

/// The files that runs of the sync held, or failed to import because of what they are, with the spec as it is: the schedule
/// doesn't take them again until they, the spec or an approval changes.
pub fn tried(spec: &UserSyncSpec, runs: &[UserSyncRun]) -> Vec<Tried> {
    let digest = spec_digest(spec);
    let same = |run: &&UserSyncRun| run.spec.mode == Mode::Import && spec_digest(&run.spec.sync_spec) == digest;
    runs.iter().filter(same).filter_map(one).collect()
}

fn one(run: &UserSyncRun) -> Option<Tried> {
    /// Reasons for which the file itself is to blame.
    const ITS_OWN: [Reason; 3] = [Reason::InvalidFile, Reason::FileTooLarge, Reason::TargetFailed];
    let (_, reason, _) = ended(run)?;
    let held = held(run);
    if !held && !ITS_OWN.iter().any(|own| own.as_str() == reason) {
        return None;
    }
    Some(Tried { file: file_of(run)?, held })
}

/// The files that runs with the spec as it is failed to import, and could not set aside afterwards.
pub fn aside(spec: &UserSyncSpec, runs: &[UserSyncRun]) -> Vec<Fetched> {
    let digest = spec_digest(spec);
    let left = |run: &&UserSyncRun| {
        let said = run.status.iter().flat_map(|status| &status.conditions);
        let mut said = said.filter(|said| said.type_ == UNFINISHED);
        run.spec.mode == Mode::Import
            && spec_digest(&run.spec.sync_spec) == digest
            && said.any(|said| said.reason == ConditionReason::FileNotSetAside.as_str())
    };
    let file = |run: &UserSyncRun| {
        let sha256 = run.status.as_ref()?.file.as_ref()?.sha256.clone().unwrap_or_default();
        Some(Fetched { stamp: file_of(run)?, sha256 })
    };
    runs.iter().filter(left).filter_map(file).collect()
}

/// The file of a run that has ended, as it was listed then.
pub fn file_of(run: &UserSyncRun) -> Option<Stamp> {
    let status = run.status.as_ref()?;
    let (file, modified) = (status.file.as_ref()?, status.basis.as_ref()?.modified?);
    Some(Stamp { name: file.name.clone(), size: file.size, mtime: modified })
}

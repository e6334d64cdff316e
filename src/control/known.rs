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
    runs.iter().filter(|run| as_now(spec, &digest, run)).filter_map(one).collect()
}

/// Whether the run was an import by the spec as it is. The limits on a file's size count only where the run failed: raised, they
/// bring back the file that was too large, but none that was imported or is held.
fn as_now(spec: &UserSyncSpec, digest: &str, run: &UserSyncRun) -> bool {
    let theirs = &run.spec.sync_spec;
    let limits = (&spec.source.max_size, &spec.source.unpack) == (&theirs.source.max_size, &theirs.source.unpack);
    run.spec.mode == Mode::Import && spec_digest(theirs) == digest && (held(run) || limits)
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
        as_now(spec, &digest, run) && said.any(|said| said.reason == ConditionReason::FileNotSetAside.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{FileReport, UserSync},
        control::{
            cause::run_of,
            told::{failed, leaves},
        },
        model::sync::{Cause, Unfinished},
    };

    fn sync(source: &str) -> UserSync {
        let text = format!(
            "apiVersion: usersync.dev/v1alpha1\nkind: UserSync\nmetadata: {{name: hr, namespace: people}}\nspec:\n  mapping: \
             {{userId: {{column: id}}}}\n  source: {{directory: {{path: in}}, {source}}}\n"
        );
        serde_yaml::from_str(&text).unwrap()
    }

    /// A run by that spec that ended like this, and could not set its file aside.
    fn run(source: &str, reason: Reason) -> UserSyncRun {
        let mut run = run_of(&sync(source), &Cause::UpdateNow("a".into()), &[]);
        let mut status = failed(reason, "as told", jiff::Timestamp::UNIX_EPOCH);
        let left =
            Unfinished { reason: ConditionReason::FileNotSetAside, about: String::new(), message: String::new() };
        leaves(&mut status, &left, jiff::Timestamp::UNIX_EPOCH);
        status.file = Some(FileReport { name: "a.csv".into(), size: 9, sha256: None, rows: None, correction: false });
        status.basis.as_mut().unwrap().modified = Some(jiff::Timestamp::UNIX_EPOCH);
        run.status = Some(status);
        run
    }

    #[test]
    fn limits_that_are_raised_bring_back_what_was_too_large_and_nothing_else() {
        let (before, larger, unpacked) = ("maxSize: 1Mi", "maxSize: 2Mi", "maxSize: 1Mi, unpack: {maxRatio: 200}");
        for (reason, now, known) in [
            (Reason::FileTooLarge, before, true),
            (Reason::FileTooLarge, "maxSize: 1024Ki", true),
            (Reason::FileTooLarge, larger, false),
            (Reason::InvalidFile, unpacked, false),
            (Reason::InvalidFile, "maxSize: 1Mi, stableFor: 30s", true),
            (Reason::Held, larger, true),
            (Reason::Held, unpacked, true),
        ] {
            let runs = [run(before, reason)];
            let spec = sync(now).spec;
            let found = (tried(&spec, &runs).len(), aside(&spec, &runs).len());
            assert_eq!(found, (usize::from(known), usize::from(known)), "{reason}, {now}");
        }
    }
}

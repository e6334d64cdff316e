//! What a run is for, and the name that follows from it: the same cause always gives the same name, so that no retry, no
//! restart and no second replica can start a run twice.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use sha2::{Digest, Sha256};

use crate::{
    api::{
        API_VERSION, Mode, SYNC_UID, Trigger, UserSync, UserSyncRun, UserSyncRunSpec, UserSyncRunStatus, UserSyncStatus,
    },
    model::{condition::SUCCEEDED, reason::Reason, sync::Cause},
};

/// Characters of a Kubernetes name (RFC 1123 subdomain).
const NAME: usize = 253;
/// Bytes of the digest in a run's name: 80 bits.
const DIGEST: usize = 10;

/// The name of the run with this cause: the sync's, as far as there is room, and 80 bits of SHA-256 over the sync's UID and
/// the cause.
pub fn run_name(sync: &UserSync, cause: &Cause) -> String {
    run_name_of(&sync.metadata, cause)
}

/// As [`run_name`], of the sync with this metadata (name, UID).
pub fn run_name_of(sync: &ObjectMeta, cause: &Cause) -> String {
    let mut hash = Sha256::new();
    // Each part with its length: no two lists of parts read the same.
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part(sync.uid.as_deref().unwrap_or_default());
    match cause {
        Cause::Slot(slot) => ["Schedule", &slot.to_string()].map(&mut part),
        Cause::UpdateNow(token) => ["UpdateNow", token].map(&mut part),
        Cause::SimulateNow(token) => ["SimulateNow", token].map(&mut part),
        Cause::Approval { run, sha256 } => {
            part(sha256);
            ["Approval", run].map(&mut part)
        }
    };
    let digest = HEXLOWER.encode(&hash.finalize()[..DIGEST]);
    let name = sync.name.as_deref().unwrap_or_default();
    let prefix: String = name.chars().take(NAME - 1 - digest.len()).collect();
    format!("{}-{digest}", prefix.trim_end_matches(['-', '.']))
}

/// The run with this cause, with a copy of the spec as it is; an approval carries the spec of the run that was held, which
/// is among `runs`.
pub fn run_of(sync: &UserSync, cause: &Cause, runs: &[UserSyncRun]) -> UserSyncRun {
    let (trigger, slot, token, approves) = match cause {
        Cause::Slot(slot) => (Trigger::Schedule, Some(Time(*slot)), None, None),
        Cause::UpdateNow(token) => (Trigger::UpdateNow, None, Some(token.clone()), None),
        Cause::SimulateNow(token) => (Trigger::SimulateNow, None, Some(token.clone()), None),
        Cause::Approval { run, .. } => (Trigger::Approval, None, None, Some(run.clone())),
    };
    let held = approves.as_ref().and_then(|name| named(runs, name));
    let spec = UserSyncRunSpec {
        sync: sync.metadata.name.clone().unwrap_or_default(),
        uid: uid(sync).to_owned(),
        generation: held.map_or(sync.metadata.generation.unwrap_or(1), |held| held.spec.generation),
        sync_spec: held.map_or(&sync.spec, |held| &held.spec.sync_spec).clone(),
        mode: if trigger == Trigger::SimulateNow { Mode::Simulation } else { Mode::Import },
        trigger,
        slot,
        token,
        approves,
    };
    let mut run = UserSyncRun::new(&run_name(sync, cause), spec);
    run.metadata.namespace = sync.metadata.namespace.clone();
    run.metadata.labels = Some(BTreeMap::from([(SYNC_UID.to_owned(), uid(sync).to_owned())]));
    run.metadata.owner_references = Some(vec![OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: "UserSync".to_owned(),
        name: sync.metadata.name.clone().unwrap_or_default(),
        uid: uid(sync).to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    }]);
    run
}

/// The cause of the run that the status has claimed. None: nothing in the status or among the approved runs gives that
/// name.
pub fn claimed(sync: &UserSync, status: &UserSyncStatus, approved: &[Cause]) -> Option<Cause> {
    let name = status.active_run.as_deref()?;
    let slot = status.last_schedule_time.as_ref().map(|slot| Cause::Slot(slot.0));
    let update = status.last_handled_update_now.clone().map(Cause::UpdateNow);
    let simulate = status.last_handled_simulate_now.clone().map(Cause::SimulateNow);
    let causes = [slot, update, simulate].into_iter().flatten().chain(approved.iter().cloned());
    causes.into_iter().find(|cause| run_name(sync, cause) == name)
}

/// A sync's name that is longer is cut in its runs' names.
const CUT: usize = 200;

/// Whether a run of this name may be one of that sync: its name, as far as there was room, and a digest.
pub fn may_be_of(run: &str, sync: &str) -> bool {
    let Some(at) = run.len().checked_sub(2 * DIGEST + 1) else { return false };
    let Some((prefix, digest)) = run.split_at_checked(at) else { return false };
    let digest = digest.strip_prefix('-').unwrap_or_default();
    let fits = prefix == sync || (prefix.len() >= CUT && sync.starts_with(prefix));
    fits && digest.len() == 2 * DIGEST && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// SHA-256 over a run's spec, in hexadecimal.
pub fn run_digest(run: &UserSyncRun) -> String {
    // Types whose keys are texts, with their fields in a fixed order: they always become the same JSON.
    HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(&run.spec).unwrap_or_default()))
}

/// The digest of a token, as `status.handledTokens` keeps it; each kind of trigger has tokens of its own.
pub fn token_digest(trigger: Trigger, token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{trigger:?} {token}"))[..16])
}

/// The run of that name.
pub fn named<'a>(runs: &'a [UserSyncRun], name: &str) -> Option<&'a UserSyncRun> {
    runs.iter().find(|run| run.metadata.name.as_deref() == Some(name))
}

/// Whether the run succeeded, why it ended as it did, and that in words. None while it works, or before.
pub fn ended(run: &UserSyncRun) -> Option<(bool, &str, &str)> {
    verdict(run.status.as_ref()?)
}

/// The same, of a run with this status.
pub fn verdict(status: &UserSyncRunStatus) -> Option<(bool, &str, &str)> {
    let condition = status.conditions.iter().find(|condition| condition.type_ == SUCCEEDED)?;
    match condition.status.as_str() {
        "True" => Some((true, &condition.reason, &condition.message)),
        "False" => Some((false, &condition.reason, &condition.message)),
        _ => None,
    }
}

/// Whether the run is held: it waits for a person.
pub fn held(run: &UserSyncRun) -> bool {
    ended(run).is_some_and(|(_, reason, _)| reason == Reason::Held.as_str())
}

/// The attempt that works on the run; None: nobody has begun.
pub fn attempt(run: &UserSyncRun) -> Option<&str> {
    run.status.as_ref()?.basis.as_ref()?.attempt.as_deref()
}

/// When the run ended, as precisely as it is known.
pub fn ended_at(run: &UserSyncRun) -> Option<Timestamp> {
    let status = run.status.as_ref()?;
    let precise = status.basis.as_ref().and_then(|basis| basis.ended);
    precise.or_else(|| status.completion_time.as_ref().map(|time| time.0))
}

/// The resource's UID; empty if it has none.
pub fn uid(sync: &UserSync) -> &str {
    sync.metadata.uid.as_deref().unwrap_or_default()
}

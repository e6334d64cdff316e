//! How a run is claimed. The claim is one write of the status, which fails if anything has changed since it was read: of
//! several that want to start a run one succeeds, and what the run is for is noted with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{Trigger, UserSync, UserSyncStatus},
    control::cause::{run_digest, run_of, token_digest},
    model::{sync::Cause, view::View},
};

/// Digests of tokens that a status keeps.
const TOKENS: usize = 20;

/// The status that claims the run with this cause.
pub(super) fn claim(view: &View, sync: &UserSync, status: &UserSyncStatus, cause: &Cause) -> UserSyncStatus {
    let run = run_of(sync, cause, &view.runs);
    let mut status = status.clone();
    let name = run.metadata.name.clone().unwrap_or_default();
    let token = match cause {
        Cause::Slot(slot) => {
            status.last_schedule_time = Some(Time(*slot));
            None
        }
        Cause::UpdateNow(token) => {
            status.last_handled_update_now = Some(token.clone());
            Some(token_digest(Trigger::UpdateNow, token))
        }
        Cause::SimulateNow(token) => {
            status.last_handled_simulate_now = Some(token.clone());
            Some(token_digest(Trigger::SimulateNow, token))
        }
        Cause::Approval { .. } => Some(token_digest(Trigger::Approval, &name)),
    };
    if let Some(token) = token {
        status.handled_tokens.retain(|known| *known != token);
        status.handled_tokens.insert(0, token);
        status.handled_tokens.truncate(TOKENS);
    }
    status.active_run_digest = Some(run_digest(&run));
    status.active_run = Some(name);
    status
}

//! Conditions by the Kubernetes API conventions: `lastTransitionTime` changes with the status alone.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{api::UserSyncStatus, control::told::MESSAGE};

/// Conditions as they are to be said, in the order in which they are added.
pub(super) struct Said<'a> {
    before: &'a UserSyncStatus,
    generation: i64,
    now: Timestamp,
    pub conditions: Vec<Condition>,
}

impl<'a> Said<'a> {
    pub fn new(before: &'a UserSyncStatus, generation: i64, now: Timestamp) -> Self {
        Self { before, generation, now, conditions: Vec::new() }
    }

    /// A condition: its status, reason and message.
    pub fn of(&mut self, kind: &str, (status, reason, message): (&str, &str, String)) {
        let before = self.before.conditions.iter().find(|condition| condition.type_ == kind);
        let since = before.filter(|condition| condition.status == status);
        self.conditions.push(Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.chars().take(MESSAGE).collect(),
            last_transition_time: since.map_or(Time(self.now), |condition| condition.last_transition_time.clone()),
            observed_generation: Some(self.generation),
        });
    }

    /// A condition that is there only while it is True.
    pub fn while_true(&mut self, kind: &str, said: Option<(&str, String)>) {
        if let Some((reason, message)) = said {
            self.of(kind, ("True", reason, message));
        }
    }

    /// A condition as the status has it already.
    pub fn kept(&mut self, kind: &str, status: &UserSyncStatus) {
        self.conditions.extend(status.conditions.iter().find(|condition| condition.type_ == kind).cloned());
    }
}

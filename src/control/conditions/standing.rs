//! How source and target stand: what was said of them, and what runs and probes found out since.

use crate::{
    api::{UserSyncRun, UserSyncStatus},
    control::cause::ended,
    model::{
        condition::{ConditionReason, READY, SOURCE_READY},
        reason::Reason,
        sync::Failure,
        view::Memory,
    },
};

/// Whether one of them can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    /// Not known for this spec.
    Unknown,
    /// It can.
    Good,
    /// It can't.
    Bad(Failure),
}

/// Source and target.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    source: Use,
    target: Use,
}

type Saying = (&'static str, &'static str, String);

impl Standing {
    /// As the status has it, if that is of this generation, or of one that differs in nothing that matters here.
    pub fn said(status: &UserSyncStatus, generation: i64, checked: &str) -> Self {
        let same = status.checked_spec.as_deref() == Some(checked);
        let current = |kind: &str| {
            let conditions = status.conditions.iter();
            conditions
                .into_iter()
                .find(|said| said.type_ == kind && (same || said.observed_generation == Some(generation)))
        };
        let said = |kind: &str| match current(kind) {
            Some(said) if said.status == "True" => Use::Good,
            Some(said) if said.status == "False" => Reason::named(&said.reason)
                .map_or(Use::Unknown, |reason| Use::Bad(Failure { reason, message: said.message.clone() })),
            _ => Use::Unknown,
        };
        let (ready, source) = (said(READY), said(SOURCE_READY));
        let target = match ready {
            // Ready speaks of the source first: of the target nothing is known then.
            Use::Bad(failure) if failure.reason.of_target() => Use::Bad(failure),
            Use::Bad(_) => Use::Unknown,
            other => other,
        };
        Self { source, target }
    }

    /// What a run found out that has ended. One that went by another spec says nothing of this one.
    pub fn learn(&mut self, run: &UserSyncRun, generation: i64) {
        let Some((_, reason, message)) = ended(run).filter(|_| run.spec.generation == generation) else { return };
        let Some(reason) = Reason::named(reason) else { return };
        self.blame(Failure { reason, message: message.to_owned() });
        if reason.used_both() {
            *self = Self { source: Use::Good, target: Use::Good };
        }
    }

    /// What was found out last by looking: a run that waits for a server, or a probe.
    pub fn probed(&mut self, memory: &Memory, generation: i64) {
        let probed = memory.probed.as_ref().filter(|probed| probed.generation == generation);
        if let Some(found) = probed.and_then(|probed| probed.fitness.found.as_ref()) {
            let used = |found: &Result<(), Failure>| found.clone().map_or_else(Use::Bad, |()| Use::Good);
            *self = Self { source: used(&found.source), target: used(&found.target) };
        }
        if let Some(trouble) = &memory.trouble {
            self.blame(trouble.clone());
        }
    }

    fn blame(&mut self, failure: Failure) {
        if failure.reason.of_target() {
            self.target = Use::Bad(failure);
        } else if failure.reason.of_source() {
            self.source = Use::Bad(failure);
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match (&self.source, &self.target) {
            (Use::Bad(failure), _) | (_, Use::Bad(failure)) => Some(failure),
            _ => None,
        }
    }

    pub fn ready(&self) -> Saying {
        if let Some(failure) = self.failure() {
            return ("False", failure.reason.as_str(), failure.message.clone());
        }
        match (&self.source, &self.target) {
            (Use::Good, Use::Good) => {
                ("True", ConditionReason::Ready.as_str(), "source and target can be used".to_owned())
            }
            _ => ("Unknown", ConditionReason::Progressing.as_str(), ASKING.to_owned()),
        }
    }

    pub fn source_ready(&self) -> Saying {
        match &self.source {
            Use::Good => ("True", ConditionReason::Ready.as_str(), "the folder can be listed".to_owned()),
            Use::Bad(failure) => ("False", failure.reason.as_str(), failure.message.clone()),
            Use::Unknown => ("Unknown", ConditionReason::Progressing.as_str(), ASKING.to_owned()),
        }
    }

    /// Something is being found out, or tried again.
    pub fn reconciling(&self) -> Option<(&'static str, String)> {
        match self.failure() {
            Some(failure) if failure.reason.needs_a_person() => None,
            Some(failure) => Some((ConditionReason::Retrying.as_str(), format!("tried again: {}", failure.message))),
            None if (&self.source, &self.target) == (&Use::Good, &Use::Good) => None,
            None => Some((ConditionReason::Progressing.as_str(), ASKING.to_owned())),
        }
    }

    /// It won't be tried again soon by itself.
    pub fn stalled(&self) -> Option<(&'static str, String)> {
        let failure = self.failure().filter(|failure| failure.reason.needs_a_person())?;
        Some((failure.reason.as_str(), failure.message.clone()))
    }
}

const ASKING: &str = "source and target are being asked";

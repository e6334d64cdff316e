//! The metrics themselves: told by the control path as it works, asked for by whoever watches.

use std::sync::{Arc, atomic::AtomicU64};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    catalog::{BUILD, Described, ERRORS, IN_PROGRESS, LEADER, PREFIX, RECONCILE, RUN_DURATION, WAITING},
    figures::{Figures, mode, unix},
};
use crate::{
    api::{Mode, UserSync, UserSyncRun, UserSyncRunStatus},
    model::{
        condition::SUCCEEDED,
        reason::{Reason, Verdict},
        sync::Key,
    },
    ports::{HostError, Observer},
};

/// Bounds in seconds: from a look at what is in memory to some waits for a server.
const RECONCILES: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];
/// Bounds in seconds: from a file of ten rows to one of a million over a slow line.
const DURATIONS: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

type Labelled = [(&'static str, &'static str); 1];
type Number = Gauge<i64, std::sync::atomic::AtomicI64>;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    syncs: Arc<Figures>,
    runs: Family<Labelled, Histogram, fn() -> Histogram>,
    in_progress: Number,
    waiting: Number,
    reconciles: Histogram,
    errors: Family<Labelled, Counter<u64, AtomicU64>>,
    leader: Number,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Self {
            registry: Registry::with_prefix(PREFIX),
            syncs: Arc::default(),
            runs: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            in_progress: Number::default(),
            waiting: Number::default(),
            reconciles: Histogram::new(RECONCILES),
            errors: Family::default(),
            leader: Number::default(),
        };
        let build = Family::<Labelled, Number>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        let registry = &mut all.registry;
        registry.register_collector(Box::new(all.syncs.clone()));
        registry.register_with_unit(RUN_DURATION.stem, RUN_DURATION.meaning, Unit::Seconds, all.runs.clone());
        registry.register_with_unit(RECONCILE.stem, RECONCILE.meaning, Unit::Seconds, all.reconciles.clone());
        let numbers: [(&Described, &Number); 3] =
            [(&IN_PROGRESS, &all.in_progress), (&WAITING, &all.waiting), (&LEADER, &all.leader)];
        for (described, number) in numbers {
            registry.register(described.stem, described.meaning, number.clone());
        }
        registry.register(ERRORS.stem, ERRORS.meaning, all.errors.clone());
        registry.register(BUILD.stem, BUILD.meaning, build);
        all
    }
}

impl Metrics {
    /// All of them, in the text format of OpenMetrics 1.0.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Whether this process leads.
    pub fn leading(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }
}

impl Observer for Metrics {
    fn reconciled(&self, sync: &UserSync, seconds: f64) {
        self.reconciles.observe(seconds);
        let metadata = &sync.metadata;
        let key = Key {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        };
        self.syncs.set(key, sync);
    }

    fn failed(&self, _key: &Key, error: &HostError) {
        let error = match error {
            HostError::Conflict(_) => "conflict",
            HostError::Exists(_) => "exists",
            HostError::Gone(_) => "gone",
            HostError::Refused(_) => "refused",
            HostError::Unreachable(_) => "unreachable",
        };
        self.errors.get_or_create(&[("error", error)]).inc();
    }

    fn gone(&self, key: &Key) {
        self.syncs.forget(key);
    }

    fn ended(&self, run: &UserSyncRun, status: &UserSyncRunStatus) {
        if let (Some(start), Some(end)) = (&status.start_time, &status.completion_time) {
            let seconds = (unix(&end.0) - unix(&start.0)).max(0.0);
            self.runs.get_or_create(&[("mode", mode(run.spec.mode))]).observe(seconds);
        }
        let succeeded = status.conditions.iter().find(|condition| condition.type_ == SUCCEEDED);
        let reason = succeeded.map_or("Unknown", |condition| condition.reason.as_str());
        // Its sync is gone, and nobody would ever take the series away.
        if reason == Reason::Stopped.as_str() {
            return;
        }
        let done = Reason::ALL.iter().find(|known| known.as_str() == reason).map(|reason| reason.verdict());
        let imported = run.spec.mode == Mode::Import && matches!(done, Some(Verdict::Completed | Verdict::Rejects));
        let key = Key { namespace: run.metadata.namespace.clone().unwrap_or_default(), name: run.spec.sync.clone() };
        self.syncs.ended(key, run.spec.mode, reason, status.counts.as_ref().filter(|_| imported));
    }

    fn told(&self, run: &UserSyncRun, status: &UserSyncRunStatus) {
        let before = run.status.as_ref().map_or(&[][..], |status| &status.deliveries);
        let key = Key { namespace: run.metadata.namespace.clone().unwrap_or_default(), name: run.spec.sync.clone() };
        for one in status.deliveries.iter().filter(|one| !before.contains(one)) {
            self.syncs.told(key.clone(), one.kind, one.state);
        }
    }

    fn at_work(&self, running: usize, waiting: usize) {
        self.in_progress.set(i64::try_from(running).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests;

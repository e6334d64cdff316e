//! Every metric: its name by the conventions of Prometheus (base units, `_total` on counters), and what it means. The page
//! `docs/metrics.md` is written from it.

/// One metric.
#[derive(Debug)]
pub struct Described {
    /// Its name without what follows from the rest.
    pub(super) stem: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// The base unit, if it counts in one: the name's end.
    pub(super) unit: Option<&'static str>,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows, while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often a value lay below which bound.
    Histogram,
}

impl Kind {
    /// As Prometheus calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Described {
    /// The name that is queried: `usersync_runs_total`.
    pub fn name(&self) -> String {
        let unit = self.unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{PREFIX}_{}{unit}{suffix}", self.stem)
    }
}

/// What all names begin with.
pub(super) const PREFIX: &str = "usersync";
/// The labels of what is said of each sync.
const SYNC: &[&str] = &["namespace", "name"];

const fn gauge(stem: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Described {
    Described { stem, kind: Kind::Gauge, unit: None, labels, meaning }
}

const fn seconds(kind: Kind, stem: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Described {
    Described { stem, kind, unit: Some("seconds"), labels, meaning }
}

const fn counter(stem: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Described {
    Described { stem, kind: Kind::Counter, unit: None, labels, meaning }
}

pub(super) const READY: Described = gauge("ready", SYNC, "1 if the sync is Ready, 0 if not");
pub(super) const SOURCE_UP: Described = gauge(
    "source_up",
    SYNC,
    "1 if the source answered, let us in and has the folder; 0 if not; left out while unknown",
);
pub(super) const FAILING: Described = gauge("failing", SYNC, "1 if the connection is Failing");
pub(super) const SUSPENDED: Described = gauge("suspended", SYNC, "1 if scheduled runs are suspended");
pub(super) const NOTIFIED: Described = gauge(
    "notified",
    SYNC,
    "0 while somebody waits to be told of a run, or was refused in the last one, else 1; left out where nobody is to be told",
);
pub(super) const LAST_SUCCESS: Described = seconds(
    Kind::Gauge,
    "last_success_timestamp",
    SYNC,
    "when the last import succeeded, in Unix time; left out before the first",
);
pub(super) const NEXT_SLOT: Described = seconds(
    Kind::Gauge,
    "next_slot_timestamp",
    SYNC,
    "when the next scheduled run starts, in Unix time; left out where there is none, and for every",
);
pub(super) const LAST_DURATION: Described =
    seconds(Kind::Gauge, "last_run_duration", SYNC, "how long the last run took, as its status says");
pub(super) const RUNS: Described = counter(
    "runs",
    &["namespace", "name", "mode", "reason"],
    "runs that ended, by mode (Import, Simulation) and by the reason of their condition Succeeded",
);
pub(super) const ROWS: Described = counter(
    "rows",
    &["namespace", "name", "outcome"],
    "rows of files that were imported, by outcome (added, updated, unchanged, skipped, filtered, rejected), and users removed",
);
pub(super) const DELIVERIES: Described = counter(
    "deliveries",
    &["namespace", "name", "kind", "state"],
    "mails (one for each recipient) and POSTs that came to a new state, by kind (Summary, FailedImport, Webhook, Alert) and state \
     (Sent, Waiting, Refused)",
);
pub(super) const RUN_DURATION: Described =
    seconds(Kind::Histogram, "run_duration", &["mode"], "how long runs took, from their start to their end");
pub(super) const IN_PROGRESS: Described = gauge("runs_in_progress", &[], "runs at work");
pub(super) const WAITING: Described =
    gauge("runs_waiting", &[], "runs that wait for their turn (--max-concurrent-runs)");
pub(super) const RECONCILE: Described =
    seconds(Kind::Histogram, "reconcile_duration", &[], "how long it took to look at a sync and do what was due");
pub(super) const ERRORS: Described = counter(
    "reconcile_errors",
    &["error"],
    "looks at a sync that failed, by error (conflict, exists, gone, refused, unreachable): each is tried again",
);
pub(super) const LEADER: Described = gauge("leader", &[], "1 if this replica leads, 0 if it stands by");
pub(super) const BUILD: Described = gauge("build_info", &["version"], "1, with the program's version");

/// All of them, in the order of the documentation.
pub const METRICS: &[&Described] = &[
    &READY,
    &SOURCE_UP,
    &FAILING,
    &SUSPENDED,
    &NOTIFIED,
    &LAST_SUCCESS,
    &NEXT_SLOT,
    &LAST_DURATION,
    &RUNS,
    &ROWS,
    &DELIVERIES,
    &RUN_DURATION,
    &IN_PROGRESS,
    &WAITING,
    &RECONCILE,
    &ERRORS,
    &LEADER,
    &BUILD,
];

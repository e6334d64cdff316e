//! What is said of each sync, kept by sync: when a sync goes, so do its series.

use std::{
    collections::BTreeMap,
    fmt::{Error, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use super::catalog::{
    DELIVERIES, Described, FAILING, Kind, LAST_DURATION, LAST_SUCCESS, NEXT_SLOT, NOTIFIED, READY, ROWS, RUNS,
    SOURCE_UP, SUSPENDED,
};
use crate::{
    api::{Counts, DeliveryKind, DeliveryState, Mode, UserSync, usersync::status::Connection},
    model::{condition, sync::Key},
};

/// All syncs.
#[derive(Debug, Default)]
pub struct Figures {
    syncs: Mutex<BTreeMap<Key, Sync>>,
}

#[derive(Debug, Default)]
struct Sync {
    ready: Option<f64>,
    source_up: Option<f64>,
    failing: bool,
    suspended: bool,
    notified: Option<f64>,
    last_success: Option<f64>,
    next_slot: Option<f64>,
    last_duration: Option<f64>,
    runs: BTreeMap<(&'static str, String), u64>,
    rows: BTreeMap<&'static str, u64>,
    deliveries: BTreeMap<(&'static str, &'static str), u64>,
}

impl Figures {
    /// The sync is like this now.
    pub fn set(&self, key: Key, sync: &UserSync) {
        let status = sync.status.clone().unwrap_or_default();
        let mut syncs = self.lock();
        let figures = syncs.entry(key).or_default();
        let said = |name: &str| {
            let found = status.conditions.iter().find(|condition| condition.type_ == name)?;
            match found.status.as_str() {
                "True" => Some(1.0),
                "False" => Some(0.0),
                _ => None,
            }
        };
        figures.ready = said(condition::READY);
        figures.source_up = said(condition::SOURCE_READY);
        figures.failing = status.connection == Some(Connection::Failing);
        figures.suspended = sync.spec.suspend;
        let told = sync.spec.report.as_ref().is_some_and(|report| report.email.is_some() || report.webhook.is_some());
        figures.notified = told.then(|| said(condition::NOTIFIED).unwrap_or(1.0));
        figures.last_success = status.last_successful_time.as_ref().map(|time| unix(&time.0));
        figures.next_slot = status.next_schedule_time.as_ref().map(|time| unix(&time.0));
        figures.last_duration = status
            .last_run
            .as_ref()
            .and_then(|run| Some(unix(&run.completion_time.as_ref()?.0) - unix(&run.start_time.as_ref()?.0)));
    }

    /// A run of the sync ended; `counts` are those of an import that was carried out.
    pub fn ended(&self, key: Key, mode: Mode, reason: &str, counts: Option<&Counts>) {
        let mut syncs = self.lock();
        let figures = syncs.entry(key).or_default();
        *figures.runs.entry((self::mode(mode), reason.to_owned())).or_default() += 1;
        let Some(counts) = counts else { return };
        for (outcome, rows) in [
            ("added", counts.added),
            ("filtered", counts.filtered),
            ("rejected", counts.rejected),
            ("removed", counts.removed),
            ("skipped", counts.skipped),
            ("unchanged", counts.unchanged),
            ("updated", counts.updated),
        ] {
            *figures.rows.entry(outcome).or_default() += rows;
        }
    }

    /// A mail or a POST has come to a new state.
    pub fn told(&self, key: Key, kind: DeliveryKind, state: DeliveryState) {
        let kind = match kind {
            DeliveryKind::Summary => "Summary",
            DeliveryKind::FailedImport => "FailedImport",
            DeliveryKind::Webhook => "Webhook",
            DeliveryKind::Alert => "Alert",
        };
        let state = match state {
            DeliveryState::Sent => "Sent",
            DeliveryState::Refused => "Refused",
            DeliveryState::Waiting => "Waiting",
        };
        *self.lock().entry(key).or_default().deliveries.entry((kind, state)).or_default() += 1;
    }

    /// The sync is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Sync>> {
        self.syncs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let syncs = self.lock();
        type Gauge = (&'static Described, fn(&Sync) -> Option<f64>);
        let gauges: [Gauge; 8] = [
            (&READY, |sync| sync.ready),
            (&SOURCE_UP, |sync| sync.source_up),
            (&FAILING, |sync| Some(f64::from(sync.failing))),
            (&SUSPENDED, |sync| Some(f64::from(sync.suspended))),
            (&NOTIFIED, |sync| sync.notified),
            (&LAST_SUCCESS, |sync| sync.last_success),
            (&NEXT_SLOT, |sync| sync.next_slot),
            (&LAST_DURATION, |sync| sync.last_duration),
        ];
        for (described, value) in gauges {
            family(&mut encoder, described, |series| {
                for (key, sync) in syncs.iter() {
                    let Some(value) = value(sync) else { continue };
                    series.encode_family(&of(key, &[]))?.encode_gauge(&value)?;
                }
                Ok(())
            })?;
        }
        family(&mut encoder, &RUNS, |series| {
            for (key, sync) in syncs.iter() {
                for ((mode, reason), count) in &sync.runs {
                    let more = [("mode", *mode), ("reason", reason.as_str())];
                    series.encode_family(&of(key, &more))?.encode_counter::<NoLabelSet, u64, u64>(count, None)?;
                }
            }
            Ok(())
        })?;
        family(&mut encoder, &ROWS, |series| {
            for (key, sync) in syncs.iter() {
                for (outcome, count) in &sync.rows {
                    let more = [("outcome", *outcome)];
                    series.encode_family(&of(key, &more))?.encode_counter::<NoLabelSet, u64, u64>(count, None)?;
                }
            }
            Ok(())
        })?;
        family(&mut encoder, &DELIVERIES, |series| {
            for (key, sync) in syncs.iter() {
                for ((kind, state), count) in &sync.deliveries {
                    let more = [("kind", *kind), ("state", *state)];
                    series.encode_family(&of(key, &more))?.encode_counter::<NoLabelSet, u64, u64>(count, None)?;
                }
            }
            Ok(())
        })
    }
}

fn family(
    encoder: &mut DescriptorEncoder,
    described: &Described,
    encode: impl FnOnce(&mut MetricEncoder) -> Result<(), Error>,
) -> Result<(), Error> {
    let unit = described.unit.map(|_| Unit::Seconds);
    let kind = match described.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    let help = format!("{}.", described.meaning);
    encode(&mut encoder.encode_descriptor(described.stem, &help, unit.as_ref(), kind)?)
}

/// The labels of one series.
struct Labels<'a>(&'a Key, &'a [(&'a str, &'a str)]);

fn of<'a>(key: &'a Key, more: &'a [(&'a str, &'a str)]) -> Labels<'a> {
    Labels(key, more)
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), Error> {
        let Self(key, more) = self;
        let own = [("namespace", key.namespace.as_str()), ("name", key.name.as_str())];
        for (name, value) in own.iter().chain(*more) {
            let mut label = encoder.encode_label();
            let mut label = label.encode_label_key()?;
            label.write_str(name)?;
            let mut label = label.encode_label_value()?;
            label.write_str(value)?;
            label.finish()?;
        }
        Ok(())
    }
}

/// The mode, as a label says it.
pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Import => "Import",
        Mode::Simulation => "Simulation",
    }
}

/// Seconds since 1970.
pub fn unix(time: &jiff::Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

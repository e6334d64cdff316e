//! What a monitoring system reads.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::telemetry::catalog::METRICS;

fn sync(status: serde_json::Value) -> UserSync {
    let spec = json!({"source": {"directory": {"path": "/data"}}, "mapping": {"userId": {"column": "id"}}, "suspend": true,
            "report": {"email": {"smtp": {"name": "smtp"}, "from": "a@x.de", "to": ["it@x.de"]}}});
    let metadata = json!({"namespace": "people", "name": "hr"});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
}

fn condition(name: &str, status: &str, reason: &str) -> serde_json::Value {
    json!({"type": name, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-12-01T01:00:00Z"})
}

fn ended(metrics: &Metrics, mode: &str, status: &str, reason: &str) {
    let sync = sync(json!({}));
    let trigger = if mode == "Import" { "UpdateNow" } else { "SimulateNow" };
    let run: UserSyncRun = serde_json::from_value(json!({
        "metadata": {"namespace": "people", "name": "hr-1"},
        "spec": {"sync": "hr", "uid": "u", "generation": 1, "syncSpec": sync.spec, "mode": mode, "trigger": trigger, "token": "1"},
    }))
    .unwrap();
    let counts = json!({"read": 9, "filtered": 1, "rejected": 2, "added": 3, "updated": 1, "unchanged": 2, "removed": 4, "skipped": 0});
    let status = serde_json::from_value(json!({
        "conditions": [condition("Succeeded", status, reason)], "counts": counts,
        "startTime": "2026-12-01T01:00:00Z", "completionTime": "2026-12-01T01:00:02Z",
    }))
    .unwrap();
    metrics.ended(&run, &status);
}

/// One mail was sent now, another one was before.
fn told(metrics: &Metrics) {
    let mut run: UserSyncRun = serde_json::from_value(json!({
        "metadata": {"namespace": "people", "name": "hr-1"},
        "spec": {"sync": "hr", "uid": "u", "generation": 1, "syncSpec": sync(json!({})).spec, "mode": "Import",
                 "trigger": "UpdateNow", "token": "1"},
        "status": {"deliveries": [{"kind": "Summary", "to": "it@x.de", "state": "Sent"}]},
    }))
    .unwrap();
    let mut status = run.status.clone().unwrap();
    status
        .deliveries
        .push(serde_json::from_value(json!({"kind": "FailedImport", "to": "b@x.de", "state": "Sent"})).unwrap());
    run.status.as_mut().unwrap().counts = None;
    metrics.told(&run, &status);
}

fn seen() -> Metrics {
    let metrics = Metrics::default();
    let status = json!({
        "conditions": [condition("Ready", "True", "Ready"), condition("SourceReady", "False", "SourceUnreachable")],
        "connection": "Failing",
        "lastSuccessfulTime": "2026-12-01T01:00:00Z",
        "nextScheduleTime": "2026-12-02T01:00:00Z",
        "lastRun": {"name": "hr-1", "mode": "Import", "reason": "Completed", "startTime": "2026-12-01T00:59:58Z",
                    "completionTime": "2026-12-01T01:00:00Z"},
    });
    metrics.reconciled(&sync(status), 0.002);
    ended(&metrics, "Import", "True", "CompletedWithRejects");
    ended(&metrics, "Import", "False", "Held");
    ended(&metrics, "Simulation", "True", "Completed");
    told(&metrics);
    metrics.failed(&Key { namespace: "people".to_owned(), name: "hr".to_owned() }, &HostError::Conflict(String::new()));
    metrics.at_work(2, 5);
    metrics.leading(true);
    metrics
}

#[test]
fn the_series_say_what_happened() {
    let text = seen().text().unwrap();
    for line in [
        r#"usersync_ready{namespace="people",name="hr"} 1.0"#,
        r#"usersync_source_up{namespace="people",name="hr"} 0.0"#,
        r#"usersync_failing{namespace="people",name="hr"} 1.0"#,
        r#"usersync_suspended{namespace="people",name="hr"} 1.0"#,
        r#"usersync_notified{namespace="people",name="hr"} 1.0"#,
        r#"usersync_deliveries_total{namespace="people",name="hr",kind="FailedImport",state="Sent"} 1"#,
        r#"usersync_last_success_timestamp_seconds{namespace="people",name="hr"} 1796086800.0"#,
        r#"usersync_next_slot_timestamp_seconds{namespace="people",name="hr"} 1796173200.0"#,
        r#"usersync_last_run_duration_seconds{namespace="people",name="hr"} 2.0"#,
        r#"usersync_runs_total{namespace="people",name="hr",mode="Import",reason="CompletedWithRejects"} 1"#,
        r#"usersync_runs_total{namespace="people",name="hr",mode="Import",reason="Held"} 1"#,
        r#"usersync_runs_total{namespace="people",name="hr",mode="Simulation",reason="Completed"} 1"#,
        r#"usersync_rows_total{namespace="people",name="hr",outcome="added"} 3"#,
        r#"usersync_rows_total{namespace="people",name="hr",outcome="removed"} 4"#,
        r#"usersync_run_duration_seconds_count{mode="Import"} 2"#,
        "usersync_runs_in_progress 2",
        "usersync_runs_waiting 5",
        r#"usersync_reconcile_errors_total{error="conflict"} 1"#,
        "usersync_reconcile_duration_seconds_count 1",
        "usersync_leader 1",
        concat!("usersync_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}

#[test]
fn the_series_of_a_sync_that_is_gone_go_with_it() {
    let metrics = seen();
    metrics.gone(&Key { namespace: "people".to_owned(), name: "hr".to_owned() });
    let text = metrics.text().unwrap();
    assert!(!text.contains("people"), "{text}");
    ended(&metrics, "Import", "False", "Stopped");
    assert!(!metrics.text().unwrap().contains("people"));
}

#[test]
fn every_metric_is_described_and_every_description_is_a_metric() {
    let text = seen().text().unwrap();
    let typed: BTreeSet<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (format!("{name}{}", if kind == "counter" { "_total" } else { "" }), kind.to_owned()))
        .collect();
    let described = METRICS.iter().map(|metric| (metric.name(), metric.kind.as_str().to_owned())).collect();
    assert_eq!(typed, described);
    for metric in METRICS {
        let series = text.lines().filter(|line| line.starts_with(&metric.name())).collect::<Vec<_>>();
        assert!(!series.is_empty(), "{} has no series here", metric.name());
        for label in metric.labels {
            assert!(series.iter().all(|line| line.contains(&format!("{label}=\""))), "{label} of {series:?}");
        }
    }
}

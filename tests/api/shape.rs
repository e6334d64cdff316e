//! Enums, patterns and bounds: what the schema itself refuses.

use serde_json::{Value, json};
use usersync::api::{UserSync, crd::schema};

use super::rules::{whole, with};

#[test]
fn the_schema_refuses_what_makes_no_sense() {
    let schema = jsonschema::validator_for(&schema::<UserSync>()).unwrap();
    assert!(schema.is_valid(&whole()));
    let long = "x".repeat(1025);
    for (path, value) in [
        ("/spec/source", Value::Null),
        ("/spec/mapping", Value::Null),
        ("/spec/mapping/userId", Value::Null),
        ("/spec/source/sftp/hostKeys", Value::Null),
        ("/spec/source/sftp/hostKeys", json!([])),
        ("/spec/source/sftp/port", json!(0)),
        ("/spec/source/sftp/port", json!(65536)),
        ("/spec/source/sftp/port", json!("22")),
        ("/spec/source/sftp/host", json!("sftp://files.example.com")),
        ("/spec/source/sftp/host", json!("user@files.example.com")),
        ("/spec/source/sftp/credentials/name", json!("HR_sftp")),
        ("/spec/source/sftp/algorithms", json!("Old")),
        ("/spec/source/files", json!("outbox/*.csv")),
        ("/spec/source/select", json!("oldest")),
        ("/spec/source/maxSize", json!("200MB")),
        ("/spec/source/maxSize", json!(-1)),
        ("/spec/source/maxSize", json!(true)),
        ("/spec/source/stableFor", json!("10")),
        ("/spec/source/stableFor", json!(10)),
        ("/spec/source/afterImport/moveTo", json!("/bak")),
        ("/spec/source/csv/delimiter", json!("comma")),
        ("/spec/source/csv/delimiter", json!("\"")),
        ("/spec/source/csv/trim", json!("no")),
        ("/spec/mapping/properties/0/type", json!("Mail")),
        ("/spec/mapping/properties/0/property", json!("")),
        ("/spec/mapping/properties/2/policy", json!("Never")),
        ("/spec/mapping/filter", json!(long)),
        ("/spec/action", json!("Sync")),
        ("/spec/conflictMode", json!("Overwrite")),
        ("/spec/removal/set/active", json!(false)),
        ("/spec/safeguards/maxRemovals", json!("110%")),
        ("/spec/safeguards/maxRemovals", json!(0.5)),
        ("/spec/safeguards/minRows", json!(-1)),
        ("/spec/schedule/daily", json!({"at": "24:00"})),
        ("/spec/schedule/daily", json!({"at": "1:00"})),
        ("/spec/schedule/weekly", json!({"days": ["Monday"], "at": "01:00"})),
        ("/spec/schedule/weekly", json!({"days": [], "at": "01:00"})),
        ("/spec/schedule/monthly", json!({"day": 32, "at": "01:00"})),
        ("/spec/schedule/once", json!({"at": "2026-12-01 01:00"})),
        ("/spec/report/email/to/0", json!("nobody")),
        ("/spec/report/email/from", json!("a@example.com\nBcc: b@example.com")),
        ("/spec/history/failed", json!(101)),
    ] {
        assert!(!schema.is_valid(&with(whole(), &[(path, value.clone())])), "{path}: {value}");
    }
}

#[test]
fn the_schema_takes_every_form_of_a_value() {
    let schema = jsonschema::validator_for(&schema::<UserSync>()).unwrap();
    for (path, value) in [
        ("/spec/source/maxSize", json!(1_048_576)),
        ("/spec/source/maxSize", json!("1048576")),
        ("/spec/source/stableFor", json!("1m500ms")),
        ("/spec/source/csv/delimiter", json!("\t")),
        ("/spec/source/csv/delimiter", json!("^")),
        ("/spec/source/csv/delimiter", json!("Tab")),
        ("/spec/safeguards/maxRemovals", json!(0)),
        ("/spec/safeguards/maxRemovals", json!("250")),
        ("/spec/safeguards/maxRemovals", json!("0.5%")),
        ("/spec/safeguards/maxRemovals", json!("100%")),
        ("/spec/mapping/userId/column", json!(["a", "b"])),
        ("/spec/schedule/once", json!({"at": "2026-12-01T01:00"})),
        ("/spec/schedule/weekly", json!({"days": ["Mon", "Fri"], "at": "01:00"})),
    ] {
        assert!(schema.is_valid(&with(whole(), &[(path, value.clone())])), "{path}: {value}");
    }
}

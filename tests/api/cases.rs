//! What the definitions refuse and take, said once: for the rules as this program evaluates them, and for the API server.
#![allow(dead_code, missing_docs)]

use serde_json::{Value, json};

/// The whole of the resource, as the documentation shows it.
pub const WHOLE: &str = r#"
apiVersion: usersync.dev/v1alpha1
kind: UserSync
metadata: {name: hr, namespace: people}
spec:
  suspend: false
  source:
    sftp:
      host: files.example.com
      port: 22
      credentials: {name: hr-sftp}
      hostKeys: ["ssh-ed25519 AAAA"]
    path: /outbox
    files: "userdata_*.csv"
    select: Oldest
    maxSize: 200Mi
    stableFor: 10s
    waitFor: "{name}.done"
    afterImport: {moveTo: bak}
    afterFailure: {keep: {}}
    csv: {delimiter: Auto, encoding: UTF-8, trim: true}
    timeouts: {connect: 15s, login: 15s, stall: 60s}
    unpack: {maxSize: 2Gi, maxRatio: 100}
  mapping:
    userId: {column: employee_id}
    properties:
      - {property: email, column: [E-mail, Email, Mail], required: true, type: Email}
      - {property: display_name, expression: "row['First'] + ' ' + row['Last']"}
      - {property: locale, column: Language, default: en, policy: OnCreate}
      - {property: salary_band, column: Band, sensitive: true}
    filter: "row['Type'] == 'employee'"
    timeZone: Etc/UTC
  conflictMode: Update
  action: Mirror
  removal: {policy: Deactivate, set: {active: "false"}, restore: {active: "true"}, gracePeriod: 30d}
  safeguards: {maxRemovals: "10%", maxEmptied: 25, maxRejected: "50%", maxUpdated: "30%", minRows: 1}
  target:
    url: {secretKeyRef: {name: users-db, key: url}}
    table: users
    scope: {org: acme}
    protectedColumns: [id, password_hash, created_at]
    timeouts: {connect: 10s, statement: 10m, lock: 30s}
  schedule: {every: 5m, timeZone: Europe/Paris, startingDeadline: 1h, expectFileEvery: 24h}
  report:
    email:
      smtp: {name: smtp}
      from: "User sync <sync@example.com>"
      replyTo: admin@example.com
      to: [it@example.com]
      failedImportTo: [hr@example.com]
      when: Always
      simulations: true
    webhook: {url: {secretKeyRef: {name: hook, key: url}}, signingKey: {secretKeyRef: {name: hook, key: key}}}
  history: {successful: 10, failed: 10}
"#;

/// What is put where: a JSON pointer and the value, null to take away.
pub type Changes = Vec<(&'static str, Value)>;

/// A resource with these changes.
pub fn with(mut object: Value, changes: &[(&str, Value)]) -> Value {
    for (path, value) in changes {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = object.pointer_mut(parent).unwrap();
        match (parent, value) {
            (Value::Object(parent), Value::Null) => drop(parent.remove(name)),
            (Value::Object(parent), value) => drop(parent.insert(name.to_owned(), value.clone())),
            (Value::Array(parent), value) => parent[name.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("nothing can be put at {path}"),
        }
    }
    object
}

/// The whole of the resource.
pub fn whole() -> Value {
    serde_yaml::from_str(WHOLE).unwrap()
}

/// What a rule says of a change to the whole resource.
pub struct Broken {
    pub changes: Changes,
    /// Where the rule is: `spec.source`.
    pub field: &'static str,
    /// A part of its message.
    pub message: &'static str,
}

fn broken(changes: &[(&'static str, Value)], field: &'static str, message: &'static str) -> Broken {
    Broken { changes: changes.to_vec(), field, message }
}

/// Each CEL rule of UserSync, broken once.
pub fn broken_rules() -> Vec<Broken> {
    let dir = json!({"path": "inbox"});
    vec![
        broken(
            &[("/spec/source/sftp", Value::Null), ("/spec/source/path", Value::Null)],
            "spec.source",
            "exactly one source",
        ),
        broken(&[("/spec/source/directory", dir.clone())], "spec.source", "exactly one source"),
        broken(
            &[("/spec/source/sftp", Value::Null), ("/spec/source/directory", dir)],
            "spec.source",
            "path is the folder on",
        ),
        broken(
            &[("/spec/source/sftp", Value::Null), ("/spec/source/ftp", json!({"host": "ftp.example.com"}))],
            "spec.source.ftp",
            "give exactly one: credentials",
        ),
        broken(
            &[
                ("/spec/source/sftp", Value::Null),
                (
                    "/spec/source/ftp",
                    json!({"host": "ftp.example.com", "credentials": {"name": "hr-ftp"}, "anonymous": true}),
                ),
            ],
            "spec.source.ftp",
            "give exactly one: credentials",
        ),
        broken(&[("/spec/source/afterImport", json!({}))], "spec.source.afterImport", "say exactly one"),
        broken(&[("/spec/source/afterImport/keep", json!({}))], "spec.source.afterImport", "say exactly one"),
        broken(&[("/spec/source/afterFailure/moveTo", json!("failed"))], "spec.source.afterFailure", "say exactly one"),
        broken(&[("/spec/schedule/daily", json!({"at": "01:00"}))], "spec.schedule", "keep only one of"),
        broken(
            &[("/spec/schedule/every", Value::Null), ("/spec/schedule/once", json!({}))],
            "spec.schedule.once",
            "say exactly one",
        ),
        broken(
            &[("/spec/mapping/properties/1/format", json!("%d"))],
            "spec.mapping.properties[1]",
            "format is for dates",
        ),
        broken(
            &[("/spec/mapping/properties/0/format", json!("%d"))],
            "spec.mapping.properties[0]",
            "format is for dates",
        ),
        broken(&[("/spec/mapping/userId", json!({"property": "email"}))], "spec.mapping", "mapped by userId already"),
        broken(
            &[("/spec/target/protectedColumns", json!(["x", "email"]))],
            "spec",
            "both mapped and in target.protectedColumns",
        ),
        broken(&[("/spec/target/scope", json!({"email": "x"}))], "spec", "both mapped and in target.scope"),
        broken(&[("/spec/target/url/value", json!("sqlite:a"))], "spec.target.url", "exactly one of secretKeyRef"),
        broken(&[("/spec/target/caBundle", json!({}))], "spec.target.caBundle", "exactly one of secretKeyRef"),
        broken(
            &[("/spec/removal/set", Value::Null), ("/spec/removal/restore", Value::Null)],
            "spec.removal",
            "needs set",
        ),
        broken(
            &[("/spec/removal/policy", json!("Delete")), ("/spec/removal/gracePeriod", Value::Null)],
            "spec.removal",
            "go with policy: Deactivate",
        ),
        broken(&[("/spec/removal/restore/x", json!("y"))], "spec.removal", "name only columns of set"),
        broken(&[("/spec/action", json!("Upsert"))], "spec", "needs action: Mirror"),
        broken(
            &[
                ("/spec/action", json!("Delete")),
                ("/spec/removal/gracePeriod", Value::Null),
                ("/spec/source/files", Value::Null),
            ],
            "spec",
            "name its files in source.files",
        ),
        broken(
            &[("/spec/report/email/to", Value::Null), ("/spec/report/email/failedImportTo", Value::Null)],
            "spec.report.email",
            "nobody would get this mail",
        ),
    ]
}

/// Other ways to write the resource, which pass.
pub fn taken_resources() -> Vec<Changes> {
    vec![
        vec![("/spec/schedule", json!({"once": {"now": {}}}))],
        vec![("/spec/schedule", json!({}))],
        vec![("/spec/schedule", Value::Null)],
        vec![("/spec/target", Value::Null)],
        vec![("/spec/mapping/properties", Value::Null)],
        vec![("/spec/mapping/properties/0", json!({"property": "born", "type": "Date", "format": "%d.%m.%Y"}))],
        vec![("/spec/mapping/userId", json!({"column": ["a", "b"], "property": "id"}))],
        vec![
            ("/spec/source/afterImport", json!({"delete": {}})),
            ("/spec/source/afterFailure", json!({"moveTo": "x"})),
        ],
        vec![("/spec/removal", Value::Null), ("/spec/action", Value::Null), ("/spec/source/files", Value::Null)],
        vec![("/spec/removal", json!({"policy": "Delete"}))],
        vec![("/spec/source", json!({"directory": {"path": "inbox"}}))],
    ]
}

/// A run.
pub fn run() -> Value {
    json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSyncRun", "metadata": {"name": "hr-1"},
        "spec": {
            "sync": "hr", "uid": "5c0d", "generation": 3, "syncSpec": whole()["spec"],
            "mode": "Import", "trigger": "UpdateNow", "token": "a",
        },
    })
}

/// Each CEL rule of UserSyncRun, broken once in [`run`] at `spec`: the change and a part of the message.
pub fn broken_runs() -> Vec<(Changes, &'static str)> {
    let (slot, none) = (json!("2026-12-01T01:00:00Z"), Value::Null);
    vec![
        (vec![("/spec/token", none.clone())], "token goes with"),
        (vec![("/spec/slot", slot.clone())], "slot goes with"),
        (vec![("/spec/trigger", json!("Schedule")), ("/spec/token", none.clone())], "slot goes with"),
        (vec![("/spec/trigger", json!("Approval")), ("/spec/token", none.clone())], "approves goes with"),
        (vec![("/spec/approves", json!("hr-0"))], "approves goes with"),
        (vec![("/spec/trigger", json!("SimulateNow"))], "mode: Simulation goes with"),
        (vec![("/spec/mode", json!("Simulation"))], "mode: Simulation goes with"),
    ]
}

/// Other runs, which pass.
pub fn taken_runs() -> Vec<Changes> {
    let none = Value::Null;
    vec![
        vec![
            ("/spec/trigger", json!("Schedule")),
            ("/spec/token", none.clone()),
            ("/spec/slot", json!("2026-12-01T01:00:00Z")),
        ],
        vec![("/spec/trigger", json!("SimulateNow")), ("/spec/mode", json!("Simulation"))],
        vec![("/spec/trigger", json!("Approval")), ("/spec/token", none), ("/spec/approves", json!("hr-0"))],
    ]
}

/// Values that the schema itself refuses.
pub fn refused_values() -> Vec<(&'static str, Value)> {
    let long = "x".repeat(1025);
    vec![
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
    ]
}

/// Every form of a value that has several.
pub fn taken_values() -> Vec<(&'static str, Value)> {
    vec![
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
    ]
}

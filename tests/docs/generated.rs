//! The parts of the pages that are written from the code: the reference of fields and the tables of reasons.

use std::fmt::Write as _;

use serde_json::Value;
use usersync::{
    api::crds,
    model::{
        condition::{ConditionReason, MEANINGS},
        event::EventKind,
        reason::{Reason, Verdict},
        reject::RejectCode,
    },
    telemetry::catalog::METRICS,
};

/// What stands around a generated part.
pub const BEGIN: &str = "<!-- written from the code: UPDATE=1 cargo test --test docs -->\n";
/// Where it ends.
pub const END: &str = "<!-- until here -->\n";

/// Each generated part with its page.
pub fn parts() -> Vec<(&'static str, String)> {
    vec![
        ("docs/manifest.md", manifest()),
        ("docs/reasons.md", reasons()),
        ("docs/metrics.md", metrics()),
        ("docs/reports.md", mails()),
    ]
}

fn reasons() -> String {
    let mut text =
        String::from("## How a run ends\n\n| reason | exit code | meaning | what to do |\n|---|---|---|---|\n");
    for reason in Reason::ALL {
        let code = match reason.verdict() {
            Verdict::Completed => 0,
            Verdict::Failed => 1,
            Verdict::Held => 3,
            Verdict::Rejects => 4,
        };
        writeln!(text, "| `{reason}` | {code} | {} | {} |", reason.meaning(), reason.cure()).unwrap();
    }
    text.push_str("\n## Conditions of a UserSync\n\n| condition | says |\n|---|---|\n");
    for (kind, meaning) in MEANINGS {
        writeln!(text, "| `{kind}` | {meaning} |").unwrap();
    }
    text.push_str(
        "\nTheir reasons are those of runs above where a run or a look at source and target found out, and else these:\n\n\
         | reason | meaning |\n|---|---|\n",
    );
    for reason in ConditionReason::ALL {
        writeln!(text, "| `{reason}` | {} |", reason.meaning()).unwrap();
    }
    text.push_str("\n## Events of a UserSync\n\n| event | type | meaning |\n|---|---|---|\n");
    for kind in EventKind::ALL {
        let warns = if kind.warns() { "Warning" } else { "Normal" };
        writeln!(text, "| `{kind}` | {warns} | {} |", kind.meaning()).unwrap();
    }
    text.push_str(
        "\n## Why a row was rejected\n\n| code | meaning | what to do | the user id can be trusted |\n|---|---|---|---|\n",
    );
    for code in RejectCode::ALL {
        let trusted = if code.key_unreadable() { "no" } else { "yes" };
        writeln!(text, "| `{code}` | {} | {} | {trusted} |", code.meaning(), code.cure()).unwrap();
    }
    text
}

/// The mails of an import with rejected rows, as the tests of letters know them.
fn mails() -> String {
    let golden = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sync/render/golden/letters/");
        std::fs::read_to_string(format!("{folder}{name}")).unwrap()
    };
    format!(
        "```text\n{}```\n\nThose who sent the file never see UserSync. They get this, at `report.email.failedImportTo`:\n\n```text\n{}```\n",
        golden("imported.summary.txt"),
        golden("imported.failed.txt")
    )
}

fn metrics() -> String {
    let mut text = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (metric.name(), metric.kind.as_str());
        writeln!(text, "| `{name}` | {kind} | {} | {} |", labels.join(" "), metric.meaning).unwrap();
    }
    text
}

fn manifest() -> String {
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == "UserSync").unwrap();
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let mut text = String::new();
    object("spec", &schema["openAPIV3Schema"]["properties"]["spec"], &mut text);
    text
}

/// A table of the object's fields, then one for each object among them.
fn object(path: &str, schema: &Value, text: &mut String) {
    writeln!(text, "### `{path}`\n").unwrap();
    if let Some(description) = schema["description"].as_str() {
        writeln!(text, "{}\n", cell(description)).unwrap();
    }
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    text.push_str("| field | type | meaning |\n|---|---|---|\n");
    let mut below = Vec::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let needed = if required.contains(&name.as_str()) { ", **required**" } else { "" };
        let description = field["description"].as_str().unwrap_or_default();
        writeln!(text, "| `{name}` | {}{needed} | {} |", kind(field), cell(description)).unwrap();
        let deeper = if field["type"] == "array" { &field["items"] } else { field };
        if deeper["properties"].as_object().is_some_and(|fields| !fields.is_empty()) {
            let brackets = if field["type"] == "array" { "[]" } else { "" };
            below.push((format!("{path}.{name}{brackets}"), deeper));
        }
    }
    text.push('\n');
    let mut rules: Vec<&str> = schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["message"].as_str())
        .collect();
    rules.dedup();
    if !rules.is_empty() {
        text.push_str("Refused otherwise:\n\n");
        rules.iter().for_each(|rule| writeln!(text, "- {}", rule.replace('\n', " ")).unwrap());
        text.push('\n');
    }
    below.iter().for_each(|(path, schema)| object(path, schema, text));
}

fn kind(schema: &Value) -> String {
    if schema["x-kubernetes-int-or-string"] == true {
        return "number or text".to_owned();
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    match schema["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => "names and values".to_owned(),
        Some("object") => "object".to_owned(),
        _ => "text or list".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

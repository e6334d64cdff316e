//! What GitOps tools make of a sync: Argo CD by the Lua rule in `examples/argocd`, Flux by the CEL rules in `examples/flux`, and
//! whatever goes by kstatus without further rules. Each is asked by its own library.

use std::{fs, io::Write as _, path::Path, process::Stdio};

use serde_json::{Value, json};

use crate::helm::{documents, of_kind, tool};

/// A condition: type, status, reason.
type Said = (&'static str, &'static str, &'static str);

/// What a sync says of itself in generation 2, and the verdicts: kstatus, Flux, Argo CD.
struct Case {
    what: &'static str,
    observed: Option<i64>,
    conditions: &'static [Said],
    verdicts: [&'static str; 3],
}

const GOOD: [&str; 3] = ["Current", "Current", "Healthy"];
const WAIT: [&str; 3] = ["InProgress", "InProgress", "Progressing"];
const BAD: [&str; 3] = ["Failed", "Failed", "Degraded"];

const CASES: &[Case] = &[
    // kstatus takes what says nothing for good: the rules wait.
    Case {
        what: "not looked at yet",
        observed: None,
        conditions: &[],
        verdicts: ["Current", "Unknown", "Progressing"],
    },
    Case {
        what: "being looked at",
        observed: Some(2),
        conditions: &[("Ready", "Unknown", "Progressing"), ("Reconciling", "True", "Progressing")],
        verdicts: WAIT,
    },
    Case { what: "ready", observed: Some(2), conditions: &[("Ready", "True", "Ready")], verdicts: GOOD },
    Case {
        what: "ready by the spec before",
        observed: Some(1),
        conditions: &[("Ready", "True", "Ready")],
        verdicts: WAIT,
    },
    Case {
        what: "broken by the spec before",
        observed: Some(1),
        conditions: &[("Ready", "False", "InvalidSpec"), ("Stalled", "True", "InvalidSpec")],
        verdicts: WAIT,
    },
    Case {
        what: "a bad file",
        observed: Some(2),
        conditions: &[("Ready", "True", "Ready"), ("Synced", "False", "InvalidFile")],
        verdicts: GOOD,
    },
    Case {
        what: "a held import",
        observed: Some(2),
        conditions: &[("Ready", "True", "Ready"), ("Synced", "False", "Held")],
        verdicts: GOOD,
    },
    Case {
        what: "suspended",
        observed: Some(2),
        conditions: &[("Ready", "True", "Ready"), ("Suspended", "True", "Suspended")],
        verdicts: GOOD,
    },
    Case {
        what: "a spec that can't be obeyed",
        observed: Some(2),
        conditions: &[("Ready", "False", "InvalidSpec"), ("Stalled", "True", "InvalidSpec")],
        verdicts: BAD,
    },
    Case {
        what: "suspended and broken",
        observed: Some(2),
        conditions: &[
            ("Ready", "False", "SourceDenied"),
            ("Stalled", "True", "SourceDenied"),
            ("Suspended", "True", "Suspended"),
        ],
        verdicts: BAD,
    },
    // It may heal by itself: who waits for a rollout goes on waiting, who looks at Argo CD sees what is wrong.
    Case {
        what: "a server out of reach",
        observed: Some(2),
        conditions: &[("Ready", "False", "SourceUnreachable"), ("Reconciling", "True", "Retrying")],
        verdicts: ["InProgress", "InProgress", "Degraded"],
    },
];

#[test]
fn each_tool_sees_how_a_sync_is() {
    let (lua, expressions) = (lua(), expressions());
    let mut problems = Vec::new();
    for case in CASES {
        let found = verdicts(&sync(case), &lua, &expressions);
        let found = ["kstatus", "flux", "argo"].map(|tool| found[tool].as_str().unwrap().to_owned());
        if found != case.verdicts {
            problems.push(format!("{}: {found:?}, but should be {:?}", case.what, case.verdicts));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Argo CD shows why, besides.
#[test]
fn argo_cd_says_why() {
    let (lua, expressions) = (lua(), expressions());
    for (what, message) in [
        ("not looked at yet", "Not looked at yet"),
        ("ready", "message of Ready"),
        ("a bad file", "Last import: message of Synced"),
        ("suspended", "message of Suspended"),
        ("a spec that can't be obeyed", "message of Stalled"),
        ("a server out of reach", "message of Ready"),
    ] {
        let case = CASES.iter().find(|case| case.what == what).unwrap();
        assert_eq!(verdicts(&sync(case), &lua, &expressions)["message"], message, "{what}");
    }
}

fn sync(case: &Case) -> Value {
    let said = case.conditions.iter().map(|(kind, status, reason)| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": format!("message of {kind}"),
            "observedGeneration": case.observed, "lastTransitionTime": "2026-11-22T01:00:00Z",
        })
    });
    let mut sync = json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync",
        "metadata": {"name": "hr", "namespace": "people", "generation": 2}, "spec": {},
    });
    if let Some(observed) = case.observed {
        sync["status"] = json!({"observedGeneration": observed, "conditions": said.collect::<Vec<_>>()});
    }
    sync
}

/// The rule that `examples/argocd` installs.
fn lua() -> String {
    let config = &of_kind(&example("argocd/health.yaml"), "ConfigMap")[0];
    config["data"]["resource.customizations.health.usersync.dev_UserSync"].as_str().unwrap().to_owned()
}

/// The rules that `examples/flux` carries.
fn expressions() -> Value {
    let people = documents(&example("flux/people.yaml"));
    let rules = people.iter().find_map(|document| document["spec"]["healthCheckExprs"].as_array()).unwrap();
    let ours = rules.iter().find(|rule| rule["kind"] == "UserSync").unwrap();
    assert_eq!(ours["apiVersion"], "usersync.dev/v1alpha1");
    ours.clone()
}

fn example(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)).unwrap()
}

fn verdicts(resource: &Value, lua: &str, expressions: &Value) -> Value {
    let mut child = tool("health").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let question = json!({"resource": resource, "lua": lua, "expressions": expressions});
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{resource:#}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

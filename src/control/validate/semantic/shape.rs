//! `column`, which is a text or a list of texts: no structural schema says that.

use serde_json::Value;

use super::super::problem::Finding;

const HOW: &str = "write one name, or the possible ones as a list: column: [E-mail, Email]";

pub(super) fn findings(document: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut look = |path: String, owner: &Value| {
        if let Some(column) = owner.get("column") {
            names(&path, column, &mut findings);
        }
    };
    let mapping = document.pointer("/spec/mapping").unwrap_or(&Value::Null);
    look("spec.mapping.userId.column".to_owned(), mapping.get("userId").unwrap_or(&Value::Null));
    for (index, property) in mapping.get("properties").and_then(Value::as_array).into_iter().flatten().enumerate() {
        look(format!("spec.mapping.properties[{index}].column"), property);
    }
    findings
}

fn names(path: &str, column: &Value, findings: &mut Vec<Finding>) {
    match column {
        Value::Array(names) => {
            for (index, name) in names.iter().enumerate() {
                one(&format!("{path}[{index}]"), name, findings);
            }
        }
        name => one(path, name, findings),
    }
}

fn one(path: &str, name: &Value, findings: &mut Vec<Finding>) {
    let message = match name {
        Value::String(_) => return,
        Value::Bool(_) | Value::Number(_) => format!("takes text: write it in quotes, \"{name}\""),
        _ => format!("is no column's name: {HOW}"),
    };
    findings.push(Finding::new(path, message));
}

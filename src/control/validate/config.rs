//! Secret and ConfigMap documents, as Kubernetes has them. No value is ever shown.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde_json::Value;

use super::{
    document::{Document, field},
    problem::Finding,
};
use crate::model::secret::Secret;

/// The values of a Secret document.
#[derive(Clone, Debug)]
pub struct SecretValues {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its values by key.
    pub values: BTreeMap<String, Secret>,
}

/// The values of a ConfigMap document.
#[derive(Clone, Debug)]
pub struct ConfigMap {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its values by key.
    pub values: BTreeMap<String, String>,
}

/// The document as a Secret.
pub(super) fn secret(document: &Document) -> Result<SecretValues, Vec<Finding>> {
    let mut findings = named(document);
    if document.value.get("sops").is_some() {
        let message = "this Secret is encrypted by SOPS: decrypt it first, with `sops decrypt FILE | usersync run -f - …`, or \
                       give the values with --secrets DIR (DIR/NAME/KEY)";
        findings.push(Finding::at_key("sops", message));
        return Err(findings);
    }
    let mut values = BTreeMap::new();
    for (part, encoded) in [("data", true), ("stringData", false)] {
        for (key, text) in texts(document, part, &mut findings) {
            match if encoded { decode(&text) } else { Ok(text) } {
                Ok(text) => {
                    values.insert(key, Secret::new(text));
                }
                Err(message) => findings.push(Finding::new(field(part, &key), message)),
            }
        }
    }
    let (namespace, name) = (document.namespace().to_owned(), document.name().to_owned());
    if findings.is_empty() { Ok(SecretValues { namespace, name, values }) } else { Err(findings) }
}

/// The document as a ConfigMap; its `binaryData` is left out, since nothing here wants bytes.
pub(super) fn config_map(document: &Document) -> Result<ConfigMap, Vec<Finding>> {
    let mut findings = named(document);
    let values = texts(document, "data", &mut findings).into_iter().collect();
    let (namespace, name) = (document.namespace().to_owned(), document.name().to_owned());
    if findings.is_empty() { Ok(ConfigMap { namespace, name, values }) } else { Err(findings) }
}

fn named(document: &Document) -> Vec<Finding> {
    match document.name() {
        "" => vec![Finding::new("metadata.name", "is missing: a name by which a UserSync can refer to it")],
        _ => Vec::new(),
    }
}

fn texts(document: &Document, part: &str, findings: &mut Vec<Finding>) -> Vec<(String, String)> {
    let entries = match document.value.get(part) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Object(entries)) => entries,
        Some(_) => {
            findings.push(Finding::new(part, "takes KEY: value, each on its own line"));
            return Vec::new();
        }
    };
    let mut texts = Vec::new();
    for (key, value) in entries {
        match value {
            Value::String(text) => texts.push((key.clone(), text.clone())),
            Value::Null => findings.push(Finding::new(field(part, key), "has no value: write one, or remove the line")),
            _ => findings.push(Finding::new(field(part, key), "takes text: write the value in quotes")),
        }
    }
    texts
}

fn decode(text: &str) -> Result<String, String> {
    let plain: String = text.split_whitespace().collect();
    let bytes = BASE64.decode(plain.as_bytes()).map_err(|_| {
        "is not base64, which `data` takes: encode it, or write the value itself under stringData".to_owned()
    })?;
    String::from_utf8(bytes).map_err(|_| "is not text (UTF-8) once decoded: nothing here uses such a value".to_owned())
}

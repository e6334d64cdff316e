//! The digest of what decides what a file does to the table.

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    api::{
        Action, ConflictMode, UserSyncSpec,
        usersync::{
            csv::CsvSpec,
            mapping::MappingSpec,
            target::{RemovalSpec, TargetSpec},
        },
    },
    model::secret::References,
};

/// The parts that count. Not those that say when, from where, with whose word and who is told: when only they change, a
/// file that was imported stays imported.
#[derive(Serialize)]
struct Deciding<'a> {
    csv: &'a CsvSpec,
    mapping: &'a MappingSpec,
    conflict_mode: ConflictMode,
    action: Action,
    removal: &'a RemovalSpec,
    table: &'a str,
    scope: &'a std::collections::BTreeMap<String, String>,
    protected: Vec<&'a str>,
}

/// SHA-256, in hexadecimal, over the canonical JSON (keys sorted, no blanks, defaults filled in) of those parts.
pub fn spec_digest(spec: &UserSyncSpec) -> String {
    let embedded = TargetSpec::default();
    let target = spec.target.as_ref().unwrap_or(&embedded);
    let mut protected: Vec<&str> = target.protected_columns.iter().map(String::as_str).collect();
    protected.sort_unstable();
    let deciding = Deciding {
        csv: &spec.source.csv,
        mapping: &spec.mapping,
        conflict_mode: spec.conflict_mode,
        action: spec.action,
        removal: &spec.removal,
        table: &target.table,
        scope: &target.scope,
        protected,
    };
    // These types have text keys only: they always become JSON.
    let json = serde_json::to_value(&deciding).map(sorted).unwrap_or_default();
    HEXLOWER.encode(&Sha256::digest(json.to_string()))
}

/// SHA-256, in hexadecimal, over what a spec's Secrets and ConfigMaps hold: another one says that something in them has
/// changed. To be kept in memory alone: a weak password could be guessed from it.
pub fn references_digest(references: &References) -> String {
    let mut parts: Vec<(&str, &str, &str, &str)> = Vec::new();
    for (name, keys) in &references.secrets {
        parts.push(("Secret", name, "", ""));
        parts.extend(keys.iter().map(|(key, value)| ("Secret", name.as_str(), key.as_str(), value.expose())));
    }
    for (name, keys) in &references.config_maps {
        parts.push(("ConfigMap", name, "", ""));
        parts.extend(keys.iter().map(|(key, value)| ("ConfigMap", name.as_str(), key.as_str(), value.as_str())));
    }
    let mut hash = Sha256::new();
    for part in parts.into_iter().flat_map(|(kind, name, key, value)| [kind, name, key, value]) {
        // Each with its length: no two lists of parts read the same.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    HEXLOWER.encode(&hash.finalize())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(entries))
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

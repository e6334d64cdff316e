//! The chart as Helm renders it.

use serde::Deserialize as _;
use serde_json::Value;

pub use crate::support::charts::{chart, helm, rendered_in, tool};

/// What the chart makes of these values, as release `usersync` in namespace `usersync-system`.
pub fn rendered(values: &[&str]) -> String {
    rendered_in("usersync-system", values)
}

/// The documents of a text, empty ones left out.
pub fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// The documents of one kind.
pub fn of_kind(text: &str, kind: &str) -> Vec<Value> {
    documents(text).into_iter().filter(|document| document["kind"] == kind).collect()
}

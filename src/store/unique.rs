//! The unique index on the match key, without which two rows could be one user.

use std::collections::BTreeMap;

use crate::{model::plan::Layout, ports::StoreError};

/// Sees, when it is about to be written, that the table still has a unique index on the match key, or on it and the scope's columns.
pub fn still_there(
    unique: &[Vec<String>],
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    table: &str,
) -> Result<(), StoreError> {
    let key = &layout.key().name;
    let fits = |index: &Vec<String>| index.contains(key) && index.iter().all(|c| c == key || scope.contains_key(c));
    if unique.iter().any(fits) {
        return Ok(());
    }
    Err(StoreError::Invalid(format!(
        "table {table} has no unique index on the match key \"{key}\" any more: it was dropped while the run worked, and two rows \
         could be the same user; nothing was written. Make it again, then run again"
    )))
}

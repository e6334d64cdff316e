//! Text that must never be shown.

use std::collections::BTreeMap;

/// A password, key or connection string: it has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("•••")
    }
}

/// What the Secrets and ConfigMaps of one namespace hold that a spec names.
#[derive(Clone, Default)]
pub struct References {
    /// Secrets: name → key → value.
    pub secrets: BTreeMap<String, BTreeMap<String, Secret>>,
    /// ConfigMaps: name → key → value.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
}

//! Which Secrets and ConfigMaps a spec names.

use std::collections::BTreeSet;

use crate::api::{
    UserSyncSpec,
    reference::{CaBundle, KeyRef},
};

/// Something that a spec names in its own namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A Secret of that name.
    Secret(String),
    /// A ConfigMap of that name.
    ConfigMap(String),
}

/// Every Secret and ConfigMap that a spec names, once.
pub fn references(spec: &UserSyncSpec) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    let mut secret = |name: &str| {
        found.insert(Reference::Secret(name.to_owned()));
    };
    let source = &spec.source;
    source.sftp.iter().for_each(|sftp| secret(&sftp.credentials.name));
    source.ftp.iter().filter_map(|ftp| ftp.credentials.as_ref()).for_each(|name| secret(&name.name));
    source.drop_box.iter().for_each(|drop_box| secret(&drop_box.credentials.name));
    let url = spec.target.as_ref().and_then(|target| target.url.as_ref()?.secret_key_ref.as_ref());
    let email = spec.report.as_ref().and_then(|report| report.email.as_ref());
    let webhook = spec.report.as_ref().and_then(|report| report.webhook.as_ref());
    url.iter().for_each(|key| secret(&key.name));
    email.iter().for_each(|email| secret(&email.smtp.name));
    webhook.iter().for_each(|hook| {
        secret(&hook.url.secret_key_ref.name);
        secret(&hook.signing_key.secret_key_ref.name);
    });
    let bundles = [
        source.ftp.as_ref().and_then(|ftp| ftp.ca_bundle.as_ref()),
        spec.target.as_ref().and_then(|target| target.ca_bundle.as_ref()),
        email.and_then(|email| email.ca_bundle.as_ref()),
        webhook.and_then(|hook| hook.ca_bundle.as_ref()),
    ];
    found.extend(bundles.into_iter().flatten().filter_map(bundle));
    found
}

fn bundle(bundle: &CaBundle) -> Option<Reference> {
    let named = |key: &Option<KeyRef>| key.as_ref().map(|key| key.name.clone());
    named(&bundle.secret_key_ref)
        .map(Reference::Secret)
        .or_else(|| named(&bundle.config_map_key_ref).map(Reference::ConfigMap))
}

//! The Secrets and ConfigMaps that a spec names, each fetched by its name: to list or watch them would need the right to read
//! them all.

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Secret as SecretObject};
use kube::{Api, Client};
use tracing::warn;

use super::errors::{PATIENCE, sorted, within};
use crate::{
    api::UserSyncSpec,
    control::job::{Reference, references},
    model::secret::{References, Secret},
    ports::HostError,
};

/// What they hold right now; those that don't exist are left out.
pub async fn fetch(client: &Client, namespace: &str, spec: &UserSyncSpec) -> Result<References, HostError> {
    let named: Vec<Reference> = references(spec).into_iter().collect();
    let fetched = try_join_all(named.iter().map(|reference| one(client, namespace, reference))).await?;
    let mut all = References::default();
    for found in fetched {
        all.secrets.extend(found.secrets);
        all.config_maps.extend(found.config_maps);
    }
    Ok(all)
}

async fn one(client: &Client, namespace: &str, reference: &Reference) -> Result<References, HostError> {
    let mut found = References::default();
    match reference {
        Reference::Secret(name) => {
            let api: Api<SecretObject> = Api::namespaced(client.clone(), namespace);
            if let Some(secret) = get(&format!("read Secret {namespace}/{name}"), api.get(name)).await? {
                let data = secret.data.unwrap_or_default().into_iter();
                let texts = data.filter_map(|(key, value)| Some((key.clone(), text(namespace, name, &key, value.0)?)));
                found.secrets.insert(name.clone(), texts.collect());
            }
        }
        Reference::ConfigMap(name) => {
            let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            if let Some(map) = get(&format!("read ConfigMap {namespace}/{name}"), api.get(name)).await? {
                found.config_maps.insert(name.clone(), map.data.unwrap_or_default());
            }
        }
    }
    Ok(found)
}

/// The object; None if there is none of that name.
async fn get<K>(doing: &str, request: impl Future<Output = kube::Result<K>>) -> Result<Option<K>, HostError> {
    let answer = async {
        match request.await {
            Err(error) if super::errors::none_of_that_name(&error) => Ok(Ok(None)),
            Err(error) => Ok(Err(sorted(doing, &error))),
            Ok(object) => Ok(Ok(Some(object))),
        }
    };
    within(PATIENCE, doing, answer).await?
}

/// A Secret's value; none if it is no text: nothing here uses such a value.
fn text(namespace: &str, name: &str, key: &str, value: Vec<u8>) -> Option<Secret> {
    match String::from_utf8(value) {
        Ok(text) => Some(Secret::new(text)),
        Err(_) => {
            warn!("the value of {key} in Secret {namespace}/{name} is no text (UTF-8): it counts as missing");
            None
        }
    }
}

//! Reading what a manifest only names: Secrets and ConfigMaps of the resource's own namespace.

use super::JobProblem;
use crate::{
    api::reference::{CaBundle, KeyRef},
    model::secret::{References, Secret},
};

/// Secrets and ConfigMaps, as they are now.
pub trait Secrets {
    /// The value of a Secret's key; None if there is no such Secret or key.
    fn secret(&self, namespace: &str, name: &str, key: &str) -> Option<Secret>;

    /// Whether there is a Secret of that name.
    fn secret_exists(&self, namespace: &str, name: &str) -> bool;

    /// The value of a ConfigMap's key; None if there is no such ConfigMap or key.
    fn config(&self, _namespace: &str, _name: &str, _key: &str) -> Option<String> {
        None
    }
}

/// The Secrets that one resource may use.
pub struct Reader<'a> {
    /// All of them.
    pub secrets: &'a dyn Secrets,
    /// The resource's own namespace.
    pub namespace: &'a str,
}

impl Reader<'_> {
    /// The key's value, if it is there and not empty. One line break at the end is not part of it: editors and `echo` add
    /// one to files.
    pub fn optional(&self, name: &str, key: &str) -> Option<Secret> {
        let secret = self.secrets.secret(self.namespace, name, key)?;
        let text = secret.expose();
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        (!text.is_empty()).then(|| Secret::new(text))
    }

    /// Whether the Secret is there; else the problem that says which one to make, with which keys.
    pub fn exists(&self, field: &str, name: &str, keys: &str) -> Result<(), JobProblem> {
        if self.secrets.secret_exists(self.namespace, name) {
            return Ok(());
        }
        let namespace = self.namespace;
        let message =
            format!("there is no Secret “{name}” in namespace “{namespace}”: make one, with {keys}, or name another");
        Err(JobProblem::new(field, message))
    }

    /// The value of a key that must be there. `what` is what it holds, for the message.
    pub fn required(&self, field: &str, from: &KeyRef, what: &str) -> Result<Secret, JobProblem> {
        self.exists(field, &from.name, &format!("the key {} ({what})", from.key))?;
        self.optional(&from.name, &from.key).ok_or_else(|| {
            let (name, key) = (&from.name, &from.key);
            JobProblem::new(
                field,
                format!("the Secret “{name}” has no key “{key}”, or it is empty: add it; it holds {what}"),
            )
        })
    }
    /// Certificates to trust, from a Secret or a ConfigMap.
    pub fn bundle(&self, field: &str, bundle: &CaBundle) -> Result<String, JobProblem> {
        let what = "the certificates to trust, in PEM form";
        let text = match (&bundle.secret_key_ref, &bundle.config_map_key_ref) {
            (Some(key), None) => self.required(field, key, what)?.expose().to_owned(),
            (None, Some(KeyRef { name, key })) => {
                let found = self.secrets.config(self.namespace, name, key).filter(|text| !text.trim().is_empty());
                found.ok_or_else(|| {
                    let namespace = self.namespace;
                    JobProblem::new(
                        field,
                        format!(
                            "there is no ConfigMap “{name}” with the key “{key}” in namespace “{namespace}”, or it is empty: \
                             make it; it holds {what}"
                        ),
                    )
                })?
            }
            _ => return Err(JobProblem::new(field, "name exactly one of secretKeyRef and configMapKeyRef")),
        };
        if text.contains("-----BEGIN CERTIFICATE-----") {
            return Ok(text);
        }
        Err(JobProblem::new(field, "holds no certificate: it must have lines from “-----BEGIN CERTIFICATE-----” on"))
    }
}

/// The references of one namespace, whatever the namespace is called.
impl Secrets for References {
    fn secret(&self, _namespace: &str, name: &str, key: &str) -> Option<Secret> {
        self.secrets.get(name)?.get(key).cloned()
    }

    fn secret_exists(&self, _namespace: &str, name: &str) -> bool {
        self.secrets.contains_key(name)
    }

    fn config(&self, _namespace: &str, name: &str, key: &str) -> Option<String> {
        self.config_maps.get(name)?.get(key).cloned()
    }
}

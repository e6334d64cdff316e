//! What there is to log in with.

use std::sync::Arc;

use russh::{MethodKind, keys::PrivateKey};

use super::{errors::Place, key};
use crate::{api::Algorithms, model::job::SftpJob, ports::SourceError};

/// What the Secret has to log in with.
pub struct Credentials {
    pub username: String,
    pub password: Option<String>,
    pub key: Option<Arc<PrivateKey>>,
    /// Whether an rsa key may sign with SHA-1.
    pub sha1_signatures: bool,
}

impl Credentials {
    /// Reads the private key, if there is one.
    pub async fn read(place: &Place, job: &SftpJob) -> Result<Self, SourceError> {
        let key = match job.private_key.clone() {
            Some(text) => {
                let passphrase = job.passphrase.clone();
                let read = move || key::read(text.expose(), passphrase.as_ref().map(|passphrase| passphrase.expose()));
                let read = tokio::task::spawn_blocking(read).await.unwrap_or(Err(key::KeyError::Unreadable));
                Some(Arc::new(read.map_err(|error| SourceError::Denied(format!("{}: {error}.", place.location())))?))
            }
            None => None,
        };
        Ok(Self {
            username: job.username.clone(),
            password: job.password.as_ref().map(|password| password.expose().to_owned()),
            key,
            sha1_signatures: job.algorithms == Algorithms::Legacy,
        })
    }

    /// Whether there is something for this way in.
    pub fn fit(&self, kind: MethodKind) -> bool {
        match kind {
            MethodKind::PublicKey => self.key.is_some(),
            MethodKind::Password | MethodKind::KeyboardInteractive => self.password.is_some(),
            _ => false,
        }
    }
}

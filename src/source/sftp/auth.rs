//! Logging in: with the private key, then with the password, then by answering the server's questions with the
//! password, as far as the server says that it accepts them.

use std::sync::Arc;

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse, Prompt},
    keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg},
};

use super::{
    errors::{Place, said},
    host_key::Verifier,
    key,
};
use crate::{api::Algorithms, model::job::SftpJob, ports::SourceError};

/// A server that asks more often than this is not answered any more.
const MAX_QUESTIONS: usize = 10;

/// What the Secret has to log in with.
pub struct Credentials {
    username: String,
    password: Option<String>,
    key: Option<Arc<PrivateKey>>,
    sha1_signatures: bool,
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
}

/// How far the login is.
enum Step {
    /// In.
    Done,
    /// Not in; the server would accept these.
    Left(MethodSet),
}

impl From<AuthResult> for Step {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::Done,
            AuthResult::Failure { remaining_methods, .. } => Self::Left(remaining_methods),
        }
    }
}

/// One login.
struct Login<'a> {
    place: &'a Place,
    ssh: &'a mut Handle<Verifier>,
    credentials: &'a Credentials,
    /// What was tried, for the error.
    tried: Vec<String>,
    /// Why something was not tried, for the error.
    notes: Vec<String>,
}

/// Logs in.
pub async fn login(place: &Place, ssh: &mut Handle<Verifier>, credentials: &Credentials) -> Result<(), SourceError> {
    let mut login = Login { place, ssh, credentials, tried: Vec::new(), notes: Vec::new() };
    let first = login.ssh.authenticate_none(&credentials.username).await.map_err(|_| login.broke_off())?;
    let Step::Left(mut left) = first.into() else { return Ok(()) };
    let mut offered = left.clone();
    for kind in [MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive] {
        if !left.contains(&kind) {
            continue;
        }
        let step = match kind {
            MethodKind::PublicKey => login.with_key().await?,
            MethodKind::Password => login.with_password().await?,
            _ => login.with_answers().await?,
        };
        match step {
            Some(Step::Done) => return Ok(()),
            Some(Step::Left(now)) => {
                if login.ssh.is_closed() {
                    return Err(login.refused(&offered, true));
                }
                for &method in now.iter() {
                    // A set: what is in it already stays once.
                    offered.push(method);
                }
                left = now;
            }
            None => {}
        }
    }
    let closed = login.ssh.is_closed();
    Err(login.refused(&offered, closed))
}

impl Login<'_> {
    async fn with_key(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(key) = self.credentials.key.clone() else { return Ok(None) };
        let hash = if key.algorithm().is_rsa() { self.rsa_hash().await? } else { None };
        if key.algorithm().is_rsa() && hash.is_none() && !self.credentials.sha1_signatures {
            self.notes.push(
                "The server takes signatures of rsa keys only with SHA-1, which is not used (source.sftp.algorithms: Legacy \
                 allows it)."
                    .to_owned(),
            );
            return Ok(None);
        }
        self.tried.push(format!(
            "private key ({}, public part {})",
            key.algorithm().as_str(),
            key.public_key().fingerprint(HashAlg::Sha256)
        ));
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let result = self.ssh.authenticate_publickey(&self.credentials.username, key).await;
        Ok(Some(result.map_err(|_| self.broke_off())?.into()))
    }

    /// The best hash that the server takes for rsa; None: SHA-1 alone.
    async fn rsa_hash(&mut self) -> Result<Option<HashAlg>, SourceError> {
        let said = self.ssh.best_supported_rsa_hash().await.map_err(|_| self.broke_off())?;
        // A server that doesn't say takes SHA-2 as a rule (RFC 8332 is older than RFC 8308's use).
        Ok(said.unwrap_or(Some(HashAlg::Sha512)))
    }

    async fn with_password(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(password) = &self.credentials.password else { return Ok(None) };
        self.tried.push("password".to_owned());
        let result = self.ssh.authenticate_password(&self.credentials.username, password).await;
        Ok(Some(result.map_err(|_| self.broke_off())?.into()))
    }

    async fn with_answers(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(password) = self.credentials.password.clone() else { return Ok(None) };
        self.tried.push("keyboard-interactive".to_owned());
        let user = &self.credentials.username;
        let started = self.ssh.authenticate_keyboard_interactive_start(user, None).await;
        let mut response = started.map_err(|_| self.broke_off())?;
        for _ in 0..MAX_QUESTIONS {
            match response {
                KeyboardInteractiveAuthResponse::Success => return Ok(Some(Step::Done)),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, .. } => {
                    return Ok(Some(Step::Left(remaining_methods)));
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = self.answers(&prompts, &password)?;
                    let answered = self.ssh.authenticate_keyboard_interactive_respond(answers).await;
                    response = answered.map_err(|_| self.broke_off())?;
                }
            }
        }
        self.notes.push("The server asked again and again.".to_owned());
        Ok(None)
    }

    /// The password for each question whose answer is not shown. Any other is not ours to answer.
    fn answers(&self, prompts: &[Prompt], password: &str) -> Result<Vec<String>, SourceError> {
        match prompts.iter().find(|prompt| prompt.echo) {
            Some(open) => Err(SourceError::Denied(format!(
                "{}: the server asks a question{} that has no answer in the Secret. Have it accept a key or a password for this \
                 account.",
                self.place.location(),
                said(&open.prompt)
            ))),
            None => Ok(prompts.iter().map(|_| password.to_owned()).collect()),
        }
    }

    fn broke_off(&self) -> SourceError {
        SourceError::Unreachable(format!(
            "{}: the server closed the connection during the login. It is tried again; if it stays so, the server may limit \
             connections or logins from here: ask whoever runs it.",
            self.place.location()
        ))
    }

    /// Why nobody is in.
    fn refused(&self, offered: &MethodSet, closed: bool) -> SourceError {
        if self.tried.is_empty() && closed {
            return self.broke_off();
        }
        let offered = match offered.iter().map(<&str>::from).collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "nothing that is known here".to_owned(),
            offered => offered,
        };
        let tried = match self.tried.join(", ") {
            none if none.is_empty() => "nothing, because the Secret has nothing of that kind".to_owned(),
            tried => tried,
        };
        let mut text =
            format!("{}: the login was refused. Tried: {tried}. The server accepts: {offered}.", self.place.location());
        for note in &self.notes {
            text.push(' ');
            text.push_str(note);
        }
        text.push_str(
            " Check username, password and privateKey in the Secret of source.sftp.credentials; a key's public part must be in \
             the account's authorized_keys.",
        );
        SourceError::Denied(text)
    }
}

//! Logging in: with the private key, then with the password or, where the server takes none by itself, by answering its question
//! with the password.

use std::sync::Arc;

use russh::{
    MethodKind,
    client::Handle,
    keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg},
};

use super::{
    credentials::Credentials,
    errors::Place,
    heard::{End, Heard},
    host_key::Verifier,
    questions,
    tries::{Step, Tries, by_password},
};
use crate::{ports::SourceError, source::words::without};

/// How a login on one connection ended, if not with an error.
pub enum Login {
    /// In.
    Done,
    /// The server closed the connection, but not everything was tried: the rest is, on another one.
    Elsewhere,
}

/// Logs in on a connection, with what was not tried on an earlier one.
pub async fn login(
    place: &Place,
    ssh: &mut Handle<Verifier>,
    heard: &Heard,
    credentials: &Credentials,
    tries: &mut Tries,
) -> Result<Login, SourceError> {
    let login = Attempt { place, ssh, heard, credentials, tries }.run().await;
    login.map_err(|error| match &credentials.password {
        Some(password) => without(password, error),
        None => error,
    })
}

/// The login on one connection.
struct Attempt<'a> {
    place: &'a Place,
    ssh: &'a mut Handle<Verifier>,
    heard: &'a Heard,
    credentials: &'a Credentials,
    tries: &'a mut Tries,
}

impl Attempt<'_> {
    async fn run(mut self) -> Result<Login, SourceError> {
        let mut left = self.tries.start();
        if self.tries.ask() {
            match self.ask().await {
                Step::Done => return Ok(Login::Done),
                Step::Ended => return self.ended_at_once().await,
                Step::Partly(accepted) | Step::Refused(accepted) => left = accepted,
            }
            self.tries.accepts(&left);
        }
        while let Some(kind) = self.tries.next(&left, self.credentials) {
            if self.tries.needs_another(kind) {
                return Ok(Login::Elsewhere);
            }
            let (step, sent) = match kind {
                MethodKind::PublicKey => match self.with_key().await? {
                    Some(step) => (step, false),
                    None => {
                        self.tries.skip(kind);
                        continue;
                    }
                },
                MethodKind::Password => self.with_password().await,
                _ => questions::answer(self.place, self.ssh, self.credentials, self.tries).await?,
            };
            match step {
                Step::Done => return Ok(Login::Done),
                Step::Partly(now) => {
                    self.tries.partly(kind, &now);
                    left = now;
                }
                Step::Refused(now) => {
                    self.tries.refuse(kind, sent, &now);
                    left = now;
                }
                Step::Ended => return self.ended(kind, sent).await,
            }
        }
        Err(self.refused())
    }

    /// Asks what the server accepts; some let anybody in.
    async fn ask(&mut self) -> Step {
        self.ssh.authenticate_none(&self.credentials.username).await.into()
    }

    /// The connection ended at the question what the server accepts.
    async fn ended_at_once(&mut self) -> Result<Login, SourceError> {
        match self.end().await {
            End::Refused => Err(self.refused()),
            // The question alone was one try too many.
            _ if self.heard.is_too_many() => Ok(Login::Elsewhere),
            _ => Err(self.broke_off()),
        }
    }

    /// The connection ended at this try. `sent`: the server had the password.
    async fn ended(&mut self, kind: MethodKind, sent: bool) -> Result<Login, SourceError> {
        let end = self.end().await;
        let no_verdict = match end {
            End::Refused | End::Told => false,
            // A server that refuses by hanging up: a key, which costs nothing, is tried once more, and no password.
            End::Closed => !sent,
            End::Broke => true,
        };
        // If it happens again, it is the server.
        if no_verdict && self.tries.once_more() {
            return Ok(Login::Elsewhere);
        }
        self.tries.end(kind, sent);
        let what = if by_password(kind) { "password" } else { "key" };
        match self.heard.why() {
            Some(why) => self.tries.note(why),
            None if end == End::Refused => {}
            None => self.tries.note(format!("The server closed the connection when it had the {what}.")),
        }
        if self.tries.more(self.credentials) { Ok(Login::Elsewhere) } else { Err(self.refused()) }
    }

    /// How the connection ended: what is heard of it comes a moment after the answers have ended.
    async fn end(&mut self) -> End {
        let _ = (&mut *self.ssh).await;
        self.heard.ended()
    }

    /// Signs with the key. None: not in a way that the server knows.
    async fn with_key(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(key) = self.credentials.key.clone() else { return Ok(None) };
        if !key.algorithm().is_rsa() {
            return Ok(Some(self.sign(&key, None).await));
        }
        let hashes = self.rsa_hashes().await?;
        let modern = !self.credentials.sha1_signatures;
        let mut last = None;
        for hash in hashes.into_iter().filter(|hash| hash.is_some() || !modern) {
            match self.sign(&key, hash).await {
                Step::Refused(left) if left.contains(&MethodKind::PublicKey) => last = Some(Step::Refused(left)),
                ended => return Ok(Some(ended)),
            }
        }
        if modern {
            self.tries.note(
                "The server may take signatures of rsa keys only with SHA-1, which is not used (source.sftp.algorithms: Legacy \
                 allows it; better is an ed25519 key)."
                    .to_owned(),
            );
        }
        Ok(last)
    }

    async fn sign(&mut self, key: &Arc<PrivateKey>, hash: Option<HashAlg>) -> Step {
        let tried = format!(
            "private key ({}, public part {})",
            key.algorithm().as_str(),
            key.public_key().fingerprint(HashAlg::Sha256)
        );
        self.tries.name(&tried);
        let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
        self.ssh.authenticate_publickey(&self.credentials.username, key).await.into()
    }

    /// The hashes to try with an rsa key; None is SHA-1. A server that doesn't say what it takes (RFC 8308) is an old one as
    /// a rule, and one that says it may not mean it.
    async fn rsa_hashes(&mut self) -> Result<Vec<Option<HashAlg>>, SourceError> {
        let said = self.ssh.best_supported_rsa_hash().await.map_err(|_| self.broke_off())?;
        Ok(match said {
            Some(None) => vec![None],
            Some(hash) => vec![hash, None],
            None if self.credentials.sha1_signatures => vec![None, Some(HashAlg::Sha512)],
            None => vec![Some(HashAlg::Sha512)],
        })
    }

    /// Sends the password. Whether it went out: not on a connection that the server closed with its answer before.
    async fn with_password(&mut self) -> (Step, bool) {
        // There is one, or this way in would not be next.
        let password = self.credentials.password.as_deref().unwrap_or_default();
        self.tries.name("password");
        let answered = self.ssh.authenticate_password(&self.credentials.username, password).await;
        let sent = !matches!(answered, Err(russh::Error::SendError));
        (answered.into(), sent)
    }

    fn broke_off(&self) -> SourceError {
        let why = self.heard.why().map(|why| format!(" {why}")).unwrap_or_default();
        SourceError::Unreachable(format!(
            "{}: the server closed the connection during the login.{why} It is tried again; if it stays so, the server may limit \
             connections or logins from here: ask whoever runs it.",
            self.place.location()
        ))
    }

    /// Why nobody is in.
    fn refused(&self) -> SourceError {
        SourceError::Denied(format!(
            "{}: the login was refused. {} Check username, password and privateKey in the Secret of source.sftp.credentials; a \
             key's public part must be in the account's authorized_keys.",
            self.place.location(),
            self.tries.said()
        ))
    }
}

//! Logging in: with the private key, then with the password, then by answering the server's questions with the
//! password, as far as the server says that it accepts them.

use std::sync::Arc;

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse, Prompt},
    keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg},
};

use super::{
    credentials::Credentials,
    errors::{Place, said},
    heard::Heard,
    host_key::Verifier,
};
use crate::ports::SourceError;

/// A server that asks more often than this is not answered any more.
const MAX_QUESTIONS: usize = 10;

/// How a try ended.
enum Step {
    /// In.
    Done,
    /// Not in; the server would accept these now. None of them: it closed the connection.
    Left(MethodSet),
}

impl From<Result<AuthResult, russh::Error>> for Step {
    fn from(result: Result<AuthResult, russh::Error>) -> Self {
        match result {
            Ok(AuthResult::Success) => Self::Done,
            Ok(AuthResult::Failure { remaining_methods, .. }) => Self::Left(remaining_methods),
            Err(_) => Self::Left(MethodSet::empty()),
        }
    }
}

/// What was tried so far, over one connection or several: a server that allows one try for each connection closes it before
/// the right one was tried.
#[derive(Default)]
pub struct Tries {
    /// Whether the server was asked what it accepts.
    asked: bool,
    /// What it said that it accepts.
    offered: Option<MethodSet>,
    /// Whether a connection that ended without a word was made anew.
    again: bool,
    /// Ways in that are not to be tried again.
    gone: Vec<MethodKind>,
    /// What was tried, for the error.
    tried: Vec<String>,
    /// Why something was not tried, and what the server said, for the error.
    notes: Vec<String>,
}

impl Tries {
    /// The next way in that the server accepts and the Secret has something for.
    fn next(&self, left: &MethodSet, credentials: &Credentials) -> Option<MethodKind> {
        ORDER.into_iter().find(|kind| left.contains(kind) && credentials.fit(*kind) && !self.gone.contains(kind))
    }

    /// What to try on a further connection, where the server is not asked again: that may count as a try.
    fn left(&self) -> MethodSet {
        self.offered.clone().unwrap_or_else(|| MethodSet::from(&ORDER[..]))
    }

    fn offer(&mut self, left: &MethodSet) {
        if !left.is_empty() {
            let offered = self.offered.get_or_insert_with(MethodSet::empty);
            // A set: what is in it already stays once.
            left.iter().for_each(|&kind| offered.push(kind));
        }
    }

    fn name(&mut self, tried: &str) {
        if !self.tried.iter().any(|known| known == tried) {
            self.tried.push(tried.to_owned());
        }
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// What is tried first: a key gives nothing away where it is not accepted.
const ORDER: [MethodKind; 3] = [MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive];

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
    Attempt { place, ssh, heard, credentials, tries }.run().await
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
        let mut left = self.tries.left();
        if !std::mem::replace(&mut self.tries.asked, true) {
            match self.ask().await {
                Step::Done => return Ok(Login::Done),
                // The question alone was one try too many.
                Step::Left(none) if none.is_empty() && self.heard.is_too_many() => return Ok(Login::Elsewhere),
                Step::Left(none) if none.is_empty() => return Err(self.broke_off()),
                Step::Left(accepted) => left = accepted,
            }
            self.tries.offer(&left);
        }
        let mut first = true;
        while let Some(kind) = self.tries.next(&left, self.credentials) {
            self.tries.gone.push(kind);
            let is_first = std::mem::replace(&mut first, false);
            let step = match kind {
                MethodKind::PublicKey => self.with_key().await?,
                MethodKind::Password => self.with_password().await?,
                _ => self.with_answers().await?,
            };
            match step {
                Some(Step::Done) => return Ok(Login::Done),
                Some(Step::Left(none)) if none.is_empty() => {
                    if !is_first && !self.heard.is_too_many() {
                        // Closed after the try before, by some servers: this one may never have been looked at.
                        self.tries.gone.pop();
                        return Ok(Login::Elsewhere);
                    }
                    match self.heard.why() {
                        Some(why) => self.tries.note(why),
                        // A line that broke, or a server that refuses by hanging up: if it happens again, it is the server.
                        None if !self.heard.is_too_many() && !std::mem::replace(&mut self.tries.again, true) => {
                            self.tries.gone.pop();
                            return Ok(Login::Elsewhere);
                        }
                        None => {}
                    }
                    let more = self.tries.next(&self.tries.left(), self.credentials).is_some();
                    return if more { Ok(Login::Elsewhere) } else { Err(self.refused()) };
                }
                Some(Step::Left(now)) => {
                    self.tries.offer(&now);
                    left = now;
                }
                None => {}
            }
        }
        Err(self.refused())
    }

    /// Asks what the server accepts; some let anybody in.
    async fn ask(&mut self) -> Step {
        self.ssh.authenticate_none(&self.credentials.username).await.into()
    }

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
                Step::Left(left) if left.contains(&MethodKind::PublicKey) => last = Some(Step::Left(left)),
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

    async fn with_password(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(password) = &self.credentials.password else { return Ok(None) };
        self.tries.name("password");
        Ok(Some(self.ssh.authenticate_password(&self.credentials.username, password).await.into()))
    }

    async fn with_answers(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(password) = self.credentials.password.clone() else { return Ok(None) };
        self.tries.name("keyboard-interactive");
        let user = &self.credentials.username;
        let started = self.ssh.authenticate_keyboard_interactive_start(user, None).await;
        let mut response = started;
        for _ in 0..MAX_QUESTIONS {
            match response {
                Ok(KeyboardInteractiveAuthResponse::Success) => return Ok(Some(Step::Done)),
                Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, .. }) => {
                    return Ok(Some(Step::Left(remaining_methods)));
                }
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => {
                    let answers = self.answers(&prompts, &password)?;
                    response = self.ssh.authenticate_keyboard_interactive_respond(answers).await;
                }
                Err(_) => return Ok(Some(Step::Left(MethodSet::empty()))),
            }
        }
        self.tries.note("The server asked again and again.".to_owned());
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
        let why = self.heard.why().map(|why| format!(" {why}")).unwrap_or_default();
        SourceError::Unreachable(format!(
            "{}: the server closed the connection during the login.{why} It is tried again; if it stays so, the server may limit \
             connections or logins from here: ask whoever runs it.",
            self.place.location()
        ))
    }

    /// Why nobody is in.
    fn refused(&self) -> SourceError {
        let Tries { offered, tried, notes, .. } = &*self.tries;
        let names = offered.iter().flat_map(|offered| offered.iter()).map(<&str>::from).collect::<Vec<_>>();
        let offered = match names.join(", ") {
            none if none.is_empty() => "nothing that is known here".to_owned(),
            offered => offered,
        };
        let tried = match tried.join(", ") {
            none if none.is_empty() => "nothing, because the Secret has nothing of that kind".to_owned(),
            tried => tried,
        };
        let mut text =
            format!("{}: the login was refused. Tried: {tried}. The server accepts: {offered}.", self.place.location());
        for note in notes {
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

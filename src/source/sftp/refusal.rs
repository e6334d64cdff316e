//! Why a connection did not come about.

use russh::keys::PublicKey;

/// Why a connection did not come about.
#[derive(Debug)]
pub enum Refusal {
    /// The server showed a key that is not expected.
    Key(Box<PublicKey>),
    /// The server showed a certificate, which was not asked for.
    Certificate,
    /// The server's banner does not end.
    Banner,
    /// Anything else.
    Ssh(russh::Error),
}

impl From<russh::Error> for Refusal {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

//! What a server says beside the protocol: banners, and why it ended the connection.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use russh::{Disconnect, client::DisconnectReason, keys::ssh_key::encoding::Error as Encoding};

use super::{errors::said, refusal::Refusal};

/// Bytes of banners that are taken at most, over one login. They are shown to nobody.
const MOST: usize = 1 << 20;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server had refused the last try, and takes no other.
    Refused,
    /// The server said that it ends, or broke SSH's rules.
    Told,
    /// In good form and without a word: somebody closed it.
    Closed,
    /// The line broke.
    Broke,
}

impl End {
    fn of(reason: &DisconnectReason<Refusal>) -> Self {
        use russh::Error;
        let DisconnectReason::Error(Refusal::Ssh(error)) = reason else { return Self::Told };
        match error {
            Error::NoAuthMethod => Self::Refused,
            Error::Disconnect | Error::HUP => Self::Closed,
            Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            Error::IO(_) | Error::KeepaliveTimeout => Self::Broke,
            _ => Self::Told,
        }
    }
}

/// What was heard on one connection; a copy hears the same.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    banner: usize,
    end: Option<End>,
    why: Option<String>,
    too_many: bool,
}

impl Heard {
    /// Counts a banner. False: that is more than anybody reads.
    pub fn banner(&self, bytes: usize) -> bool {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.banner = words.banner.saturating_add(bytes);
        words.banner <= MOST
    }

    /// Notes how and why the connection ended.
    pub fn end(&self, reason: &DisconnectReason<Refusal>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).end.get_or_insert(End::of(reason));
        if let DisconnectReason::ReceivedDisconnect(last) = reason {
            let no_more = matches!(last.reason_code, Disconnect::NoMoreAuthMethodsAvailable);
            let words = last.message.to_ascii_lowercase();
            let too_many = no_more || words.contains("too many") || words.contains("authentication");
            self.0.lock().unwrap_or_else(PoisonError::into_inner).too_many = too_many;
        }
        let why = match reason {
            DisconnectReason::ReceivedDisconnect(last) => match said(&last.message) {
                none if none.is_empty() => return,
                words => format!("The server ended the connection{words}."),
            },
            DisconnectReason::Error(Refusal::Banner) => {
                "The server's banner has more than 1 MiB: have it shortened there.".to_owned()
            }
            DisconnectReason::Error(Refusal::Ssh(russh::Error::PacketSize(_))) => {
                "The server sent a longer message than SSH allows, as a banner of more than 256 KiB is: have it shortened \
                 there."
                    .to_owned()
            }
            // Where there is text in a login, RFC 4252 (5.4) has it in UTF-8, and the SSH library takes no other.
            DisconnectReason::Error(Refusal::Ssh(russh::Error::SshEncoding(Encoding::CharacterEncoding))) => {
                "The server sent text that is not UTF-8, most likely its banner: have that saved as UTF-8 there.".to_owned()
            }
            DisconnectReason::Error(Refusal::Ssh(russh::Error::SshEncoding(_))) => {
                "The server sent a message that breaks SSH's rules: ask whoever runs it.".to_owned()
            }
            DisconnectReason::Error(_) => return,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).why.get_or_insert(why);
    }

    /// Whether the server ended the connection because more was tried than it allows for one.
    pub fn is_too_many(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).too_many
    }

    /// How the connection ended; as long as it has not, it counts as broken.
    pub fn ended(&self) -> End {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).end.unwrap_or(End::Broke)
    }

    /// Why the connection ended, as a sentence, if the server said it or broke a rule.
    pub fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).why.clone()
    }
}

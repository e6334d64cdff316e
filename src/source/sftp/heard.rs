//! What a server says beside the protocol: banners, and why it ended the connection.

use std::sync::{Arc, Mutex, PoisonError};

use russh::{Disconnect, client::DisconnectReason};

use super::{errors::said, refusal::Refusal};

/// Bytes of banners that are taken at most, over one login. They are shown to nobody.
const MOST: usize = 1 << 20;

/// What was heard on one connection; a copy hears the same.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    banner: usize,
    end: Option<String>,
    too_many: bool,
}

impl Heard {
    /// Counts a banner. False: that is more than anybody reads.
    pub fn banner(&self, bytes: usize) -> bool {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.banner = words.banner.saturating_add(bytes);
        words.banner <= MOST
    }

    /// Notes why the connection ended.
    pub fn end(&self, reason: &DisconnectReason<Refusal>) {
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
            DisconnectReason::Error(Refusal::Ssh(russh::Error::SshEncoding(_))) => {
                "The server sent a message that breaks SSH's rules, as a banner that is not UTF-8 does: have it corrected there."
                    .to_owned()
            }
            DisconnectReason::Error(_) => return,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).end.get_or_insert(why);
    }

    /// Whether the server ended the connection because more was tried than it allows for one.
    pub fn is_too_many(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).too_many
    }

    /// Why the connection ended, as a sentence, if the server said it or broke a rule.
    pub fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).end.clone()
    }
}

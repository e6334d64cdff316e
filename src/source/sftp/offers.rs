//! Which algorithms are offered to a server, and what is said where it has none of them.

use std::{borrow::Cow, sync::Arc, time::Duration};

use russh::{
    Preferred, cipher,
    client::{Config, GexParams},
    compression, kex,
    keys::PublicKey,
    mac,
};

use super::{errors::Place, host_key};
use crate::{api::Algorithms, ports::SourceError, source::words::harmless};

/// What a channel takes before the server must wait: a line with a long way is kept full.
const WINDOW: u32 = 16 << 20;
/// The silence after which the server is asked whether it is still there; three times, then it is not.
const KEEPALIVE: Duration = Duration::from_secs(15);

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_GEX_SHA256,
    kex::DH_G14_SHA256,
];
const LEGACY_KEX: &[kex::Name] = &[kex::DH_GEX_SHA1, kex::DH_G14_SHA1, kex::DH_G1_SHA1];
const KEX_EXTENSIONS: &[kex::Name] = &[kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];

const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];
const LEGACY_CIPHERS: &[cipher::Name] = &[cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC];

const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512];
const LEGACY_MACS: &[mac::Name] = &[mac::HMAC_SHA1_ETM, mac::HMAC_SHA1];

/// Names of algorithms that are shown of a server's list at most.
const SHOWN: usize = 30;

/// A server's list, short and harmless: it is what anybody on the line sent, and not verified.
fn listed(theirs: &[String]) -> String {
    let mut names: Vec<String> = theirs.iter().take(SHOWN).map(|name| harmless(name)).collect();
    if theirs.len() > SHOWN {
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// The server has nothing of what is offered.
pub fn no_common(place: &Place, what: &str, theirs: &[String], ours: &[String], algorithms: Algorithms) -> SourceError {
    let mut text = format!(
        "{}: the server and UserSync have no algorithm for {what} in common. The server offers: {}.",
        place.location(),
        listed(theirs)
    );
    if !ours.is_empty() {
        text.push_str(&format!(" UserSync offers: {}.", ours.join(", ")));
    }
    text.push_str(" Have a current one switched on at the server");
    if algorithms == Algorithms::Modern {
        text.push_str(", or, if that is not possible, write algorithms: Legacy, which is weaker");
    }
    text.push('.');
    SourceError::Denied(text)
}

/// What is offered to a server of which one of these keys is expected; any key if there is none.
pub fn config(expected: &[PublicKey], algorithms: Algorithms) -> Arc<Config> {
    let legacy = algorithms == Algorithms::Legacy;
    Arc::new(Config {
        window_size: WINDOW,
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE),
        // All that can be under way fits: the connection never waits for one channel's reader.
        channel_buffer_size: 1024,
        preferred: Preferred {
            kex: offered(KEX, LEGACY_KEX, legacy).into_iter().chain(KEX_EXTENSIONS.iter().copied()).collect(),
            key: host_key::algorithms(expected, algorithms).into(),
            cipher: offered(CIPHERS, LEGACY_CIPHERS, legacy).into(),
            mac: offered(MACS, LEGACY_MACS, legacy).into(),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        gex: group_sizes(),
        ..Config::default()
    })
}

/// Bits of a group that the server chooses: the default asks for 8192, which takes seconds, and takes nothing below 3072,
/// which many servers don't have.
fn group_sizes() -> GexParams {
    GexParams::new(2048, 3072, 8192).unwrap_or_default()
}

fn offered<T: Copy>(modern: &[T], legacy: &[T], with_legacy: bool) -> Vec<T> {
    modern.iter().chain(legacy.iter().filter(|_| with_legacy)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_list_is_shown_short_and_harmless() {
        assert_eq!(listed(&["aes128-cbc".to_owned(), "\u{1b}[2Jarcfour".to_owned()]), "aes128-cbc, [2Jarcfour");
        let many = vec!["x".repeat(10_000); 1000];
        let said = no_common(&Place::anywhere(), "encryption", &many, &[], Algorithms::Legacy).to_string();
        assert!(said.len() < 8000 && said.contains("x, …"), "{} letters", said.len());
    }
}

//! Which server this is: its key is compared with those that the manifest names, before any secret is sent.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use russh::{
    client::{DisconnectReason, Handler, Session},
    keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate},
};
use sha1::Sha1;

use super::{errors::Place, heard::Heard, refusal::Refusal};
use crate::{api::Algorithms, ports::SourceError};

/// Looks at the key that a server shows.
pub struct Verifier {
    /// Any of these; none of them: every key is refused, and so shown.
    pub expected: Vec<PublicKey>,
    /// What the server says besides.
    pub heard: Heard,
}

impl Handler for Verifier {
    type Error = Refusal;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                if self.expected.iter().any(|expected| expected.key_data() == key.key_data()) {
                    Ok(true)
                } else {
                    Err(Refusal::Key(Box::new(key.clone())))
                }
            }
            PublicKeyOrCertificate::Certificate(_) => Err(Refusal::Certificate),
        }
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Refusal> {
        if self.heard.banner(banner.len()) { Ok(()) } else { Err(Refusal::Banner) }
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Refusal>) -> Result<(), Refusal> {
        self.heard.end(&reason);
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

/// The keys that `hostKeys` gives for this server: plain keys, and those of `known_hosts` lines that name it.
/// An entry may have several lines. The error says which line is wrong, and how.
pub fn expected(entries: &[String], host: &str, port: u16) -> Result<Vec<PublicKey>, String> {
    let mut keys = Vec::new();
    let mut revoked = Vec::new();
    let lines = entries.iter().flat_map(|entry| entry.lines()).map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let hosts = words.next_if(|word| !is_key_type(word));
        let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
            return Err(format!(
                "\"{}\" in hostKeys is no host key. Write it as \"ssh-ed25519 AAAA…\", or as a line of known_hosts",
                cut(line)
            ));
        };
        let key = PublicKey::from_openssh(&format!("{kind} {blob}")).map_err(|error| {
            format!("\"{}\" in hostKeys can't be read as a host key ({error}). Copy the whole line again", cut(line))
        })?;
        if hosts.is_some_and(|hosts| !names(hosts, host, port)) {
            continue;
        }
        match marker {
            None => keys.push(key),
            Some("@revoked") => revoked.push(key),
            Some(marker) => {
                return Err(format!(
                    "hostKeys has a line that begins with {marker}: host certificates are not supported. Give the server's own \
                     key instead"
                ));
            }
        }
    }
    keys.retain(|key| !revoked.iter().any(|revoked| revoked.key_data() == key.key_data()));
    Ok(keys)
}

/// The algorithms to ask the server for, so that one with several keys shows an expected one. All of them if no key is
/// expected.
pub fn algorithms(expected: &[PublicKey], offered: Algorithms) -> Vec<Algorithm> {
    let ecdsa = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
    let rsa = [Some(HashAlg::Sha512), Some(HashAlg::Sha256), None];
    let mut all = vec![Algorithm::Ed25519];
    all.extend(ecdsa.map(|curve| Algorithm::Ecdsa { curve }));
    all.extend(
        rsa.into_iter().take(if offered == Algorithms::Legacy { 3 } else { 2 }).map(|hash| Algorithm::Rsa { hash }),
    );
    if expected.is_empty() {
        return all;
    }
    all.retain(|algorithm| expected.iter().any(|key| kind(key.algorithm()) == kind(algorithm.clone())));
    all
}

/// Whether two keys are of one kind: a server has one of each.
pub fn same_kind(one: &PublicKey, other: &PublicKey) -> bool {
    kind(one.algorithm()) == kind(other.algorithm())
}

/// An rsa key is one kind, whichever hash signs.
fn kind(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
        other => other,
    }
}

/// What to say of a key that is not expected.
pub fn unknown(place: &Place, shown: &PublicKey, expected: &[PublicKey]) -> SourceError {
    let mut shown = shown.clone();
    shown.set_comment("");
    // One of more than 16,384 bits is none that a server has, but may be sent by anybody.
    let pasted = shown.to_openssh().ok().filter(|line| line.len() < 4096);
    let pasted = pasted.unwrap_or_else(|| "(a key too long to be shown)".to_owned());
    let why = if expected.is_empty() { "none of hostKeys is for it" } else { "it is none of hostKeys" };
    SourceError::Denied(format!(
        "{}: the server's host key is not trusted: {why}. No secret was sent. The server showed\n  {}\n  {}\nIf whoever runs the \
         server confirms this fingerprint, put that line into source.sftp.hostKeys. If not, somebody may be between you and the \
         server.",
        place.location(),
        pasted.trim(),
        shown.fingerprint(HashAlg::Sha256),
    ))
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|prefix| word.starts_with(prefix))
}

fn cut(line: &str) -> String {
    let mut cut: String = line.chars().take(60).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}

/// Whether the first word of a `known_hosts` line names this server (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): patterns
/// with `*` and `?`, `!` excludes, `[host]:port` unless the port is 22, `|1|salt|hash` for a hashed name.
fn names(patterns: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let bracketed = format!("[{host}]:{port}");
    let spellings = if port == 22 { vec![host, bracketed] } else { vec![bracketed] };
    let mut named = false;
    for pattern in patterns.split(',') {
        let (excludes, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        let hit = spellings.iter().any(|spelling| match pattern.strip_prefix("|1|") {
            Some(hashed) => is_hash_of(hashed, spelling),
            None => fits(pattern.to_ascii_lowercase().as_bytes(), spelling.as_bytes()),
        });
        if hit && excludes {
            return false;
        }
        named |= hit;
    }
    named
}

fn is_hash_of(hashed: &str, name: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else { return false };
    let (Ok(salt), Ok(hash)) = (BASE64.decode(salt.as_bytes()), BASE64.decode(hash.as_bytes())) else { return false };
    Hmac::<Sha1>::new_from_slice(&salt).is_ok_and(|hmac| hmac.chain_update(name.as_bytes()).verify_slice(&hash).is_ok())
}

/// Compares with `*` and `?`, in time proportional to the product of the lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&letter) if letter == b'?' || letter == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    in_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&letter| letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn lines_are_read() {
        let cases = [
            (KEY.to_owned(), Some(1)),
            (format!("{KEY} admin@files, the one in the cellar"), Some(1)),
            (format!("files.example.com {KEY}"), Some(0)),
            (format!("[files.example.com]:2222 {KEY} comment"), Some(1)),
            (format!("[FILES.example.com]:2222 {KEY}"), Some(1)),
            (format!("other,[files.example.com]:2222,10.0.0.1 {KEY}"), Some(1)),
            (format!("[*.example.com]:2222 {KEY}"), Some(1)),
            (format!("[f?les.example.com]:2222 {KEY}"), Some(1)),
            (format!("![files.example.com]:2222,[*]:2222 {KEY}"), Some(0)),
            (format!("[files.example.com]:2223 {KEY}"), Some(0)),
            (format!("# from the vendor\n\n{KEY}\n"), Some(1)),
            (format!("{KEY}\n@revoked * {KEY}"), Some(0)),
            (format!("{KEY}\n@revoked [*]:2223 {KEY}"), Some(1)),
            (format!("@cert-authority [*]:2222 {KEY}"), None),
            ("ssh-ed25519 AAAA".to_owned(), None),
            ("SHA256:abcdef".to_owned(), None),
        ];
        for (line, expected_keys) in cases {
            let found = expected(std::slice::from_ref(&line), "files.example.com", 2222).map(|keys| keys.len()).ok();
            assert_eq!(found, expected_keys, "{line}");
        }
    }

    #[test]
    fn hashed_names_are_found() {
        // Made with `ssh-keygen -H` from "example.com".
        let line = format!("|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= {KEY}");
        let count = |host| expected(std::slice::from_ref(&line), host, 22).map(|keys| keys.len());
        assert_eq!(count("example.com"), Ok(1));
        assert_eq!(count("example.org"), Ok(0));
    }

    #[test]
    fn only_expected_kinds_of_key_are_asked_for() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        assert_eq!(algorithms(&[key], Algorithms::Modern), [Algorithm::Ed25519]);
        assert_eq!(algorithms(&[], Algorithms::Modern).len(), 6);
        assert_eq!(algorithms(&[], Algorithms::Legacy).len(), 7);
    }
}

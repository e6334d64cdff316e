//! How much work and memory it takes to open an encrypted private key. The key itself says so, in clear: whoever writes a Secret
//! could keep a processor busy for years, or have the process ask for more memory than there is.

use data_encoding::BASE64;
use pkcs8::{
    EncryptedPrivateKeyInfoRef,
    der::Decode,
    pkcs5::{EncryptionScheme, pbes2::Kdf},
};
use russh::keys::{PrivateKey, ssh_key};

/// Rounds of bcrypt at most: `ssh-keygen -a` makes 24 by default, and a thousand take some seconds.
const BCRYPT: u64 = 1_000;
/// Rounds of PBKDF2 at most: OpenSSL makes 2,048.
const PBKDF2: u64 = 5_000_000;
/// Bytes at most that scrypt and Argon2 fill: OpenSSL's 16 MiB, PuTTY's 8 MiB.
const MEMORY: u64 = 128 << 20;
/// Bytes that they write at most, over and over.
const WRITTEN: u64 = 8 << 30;

/// What a key asks for that is more than is given. None: all is well, or nothing that can be told.
pub fn too_much(text: &str) -> Option<String> {
    let rounds = |rounds: u64, most: u64| (rounds > most).then(|| format!("{rounds} rounds"));
    let filled = |memory: u64, times: u64| {
        let written = memory.saturating_mul(times);
        (memory > MEMORY || written > WRITTEN).then(|| format!("{} MiB of memory, {times} times", memory >> 20))
    };
    if text.starts_with("PuTTY-User-Key-File-") {
        let [memory, times] = ["Argon2-Memory:", "Argon2-Passes:"].map(|name| number(text, name));
        return filled(memory.saturating_mul(1024), times);
    }
    if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return match PrivateKey::from_openssh(text).ok()?.kdf() {
            ssh_key::Kdf::Bcrypt { rounds: asked, .. } => rounds((*asked).into(), BCRYPT),
            _ => None,
        };
    }
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let body = BASE64.decode(body.as_bytes()).ok()?;
    match EncryptedPrivateKeyInfoRef::from_der(&body).ok()?.encryption_algorithm {
        EncryptionScheme::Pbes2(scheme) => match scheme.kdf {
            Kdf::Pbkdf2(asked) => rounds(asked.iteration_count.into(), PBKDF2),
            Kdf::Scrypt(asked) => {
                let memory = asked.cost_parameter.saturating_mul(u64::from(asked.block_size)).saturating_mul(128);
                // All at once, one after the other.
                filled(memory, u64::from(asked.parallelization))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The number behind a name at the head of a line; none is 0, and one beyond all is the greatest.
fn number(text: &str, name: &str) -> u64 {
    let said = text.lines().find_map(|line| line.strip_prefix(name));
    said.map_or(0, |said| said.trim().parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key in PKCS#8 of which nothing is right but what it asks for (RFC 8018, RFC 7914).
    fn pkcs8(kdf: &[u8]) -> String {
        const AES: &[u8] = &[
            0x30, 0x1d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a, 4, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0,
        ];
        let part = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let pbes2 = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0d];
        let scheme = part(0x30, &[&pbes2[..], &part(0x30, &[kdf, AES].concat())].concat());
        let key = part(0x30, &[scheme, part(4, &[0; 16])].concat());
        format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----", BASE64.encode(&key))
    }

    fn scrypt(cost: &[u8], block: u8) -> String {
        let head = [6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 0x0b];
        let asked = [&[4, 2, 1, 1, 2, cost.len() as u8], cost, &[2, 1, block, 2, 1, 1]].concat();
        pkcs8(&[&[0x30, (head.len() + asked.len() + 2) as u8], &head[..], &[0x30, asked.len() as u8], &asked].concat())
    }

    #[test]
    fn a_key_may_not_ask_for_everything() {
        let pbkdf2 = |count: &[u8]| {
            let head = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0c];
            let sha256 = [0x30, 0x0c, 6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9, 5, 0];
            let asked = [&[4, 2, 1, 1, 2, count.len() as u8], count, &sha256].concat();
            pkcs8(
                &[&[0x30, (head.len() + asked.len() + 2) as u8], &head[..], &[0x30, asked.len() as u8], &asked]
                    .concat(),
            )
        };
        let ppk = |memory: &str, passes: &str| {
            format!("PuTTY-User-Key-File-3: ssh-ed25519\nArgon2-Memory: {memory}\nArgon2-Passes: {passes}\n")
        };
        let cases = [
            (pbkdf2(&[8, 0]), None),
            (pbkdf2(&[5, 0xf5, 0xe1, 0]), Some("100000000 rounds")),
            // N = 16384, r = 8: 16 MiB.
            (scrypt(&[0x40, 0], 8), None),
            (scrypt(&[1, 0, 0, 0, 0], 8), Some("4194304 MiB of memory, 1 times")),
            (ppk("8192", "13"), None),
            (ppk("4294967295", "1"), Some("4194303 MiB of memory, 1 times")),
            (ppk("8192", "99999999999999999999999"), Some("8 MiB of memory, 18446744073709551615 times")),
            ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n".to_owned(), None),
            ("hunter2".to_owned(), None),
        ];
        for (text, asked) in cases {
            assert_eq!(too_much(&text).as_deref(), asked, "{text}");
        }
    }
}

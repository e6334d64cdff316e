//! OpenSSL's traditional encryption of PEM files, which `ssh-keygen -m PEM` still writes: the cipher and its start stand in
//! the file's own header (RFC 1421), the key is made of the passphrase by one round of MD5 (EVP_BytesToKey).

use aes::{
    Aes128, Aes192, Aes256,
    cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7},
};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};

/// The cipher that the header names: `AES-128-CBC`. None: the file is not encrypted in this way.
pub fn cipher(text: &str) -> Option<&str> {
    Some(header(text)?.0)
}

/// Whether [`decrypt`] knows this cipher.
pub fn is_supported(cipher: &str) -> bool {
    key_length(cipher).is_some()
}

/// The same file without its encryption. None: the passphrase is wrong, or the file is broken.
pub fn decrypt(text: &str, passphrase: &str) -> Option<String> {
    let (cipher, start) = header(text)?;
    let start = HEXLOWER_PERMISSIVE.decode(start.as_bytes()).ok().filter(|start| start.len() == 16)?;
    let body: String = text.lines().filter(|line| !line.contains(['-', ':'])).collect();
    let mut content = BASE64.decode(body.as_bytes()).ok()?;
    let key = derived(passphrase.as_bytes(), start.get(..8)?, key_length(cipher)?);
    let content = match cipher {
        "AES-128-CBC" => {
            cbc::Decryptor::<Aes128>::new_from_slices(&key, &start).ok()?.decrypt_padded::<Pkcs7>(&mut content)
        }
        "AES-192-CBC" => {
            cbc::Decryptor::<Aes192>::new_from_slices(&key, &start).ok()?.decrypt_padded::<Pkcs7>(&mut content)
        }
        _ => cbc::Decryptor::<Aes256>::new_from_slices(&key, &start).ok()?.decrypt_padded::<Pkcs7>(&mut content),
    }
    .ok()?;
    let (first, last) = (text.lines().next()?, text.lines().last()?);
    Some(format!("{first}\n{}\n{last}", BASE64.encode(content)))
}

/// Cipher and start.
fn header(text: &str) -> Option<(&str, &str)> {
    let line = text.lines().find_map(|line| line.strip_prefix("DEK-Info:"))?;
    let (cipher, start) = line.split_once(',').unwrap_or((line, ""));
    Some((cipher.trim(), start.trim()))
}

fn key_length(cipher: &str) -> Option<usize> {
    match cipher {
        "AES-128-CBC" => Some(16),
        "AES-192-CBC" => Some(24),
        "AES-256-CBC" => Some(32),
        _ => None,
    }
}

fn derived(passphrase: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut key = Vec::new();
    let mut last = Vec::new();
    while key.len() < length {
        last = md5::compute([&last, passphrase, salt].concat()).to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

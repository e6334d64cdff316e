//! Private keys as people have them: OpenSSH's own form, PKCS#8, PKCS#1 and SEC1, with a passphrase or without.

use russh::keys::{PrivateKey, decode_secret_key};

use super::{cost, pem};

/// Why a private key can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is encrypted, and there is nothing to open it with.
    #[error("the private key is encrypted. Add its passphrase to the Secret as the key `passphrase`")]
    PassphraseMissing,
    /// It is encrypted, and does not open.
    #[error("the private key does not open with the Secret's `passphrase`. Correct the passphrase, or the key itself")]
    PassphraseWrong,
    /// A public key was given.
    #[error("the Secret's `privateKey` holds a public key. Put the private key there (the file without .pub)")]
    Public,
    /// An encryption that nobody should use any more.
    #[error(
        "the private key is encrypted in an old way that is not supported ({0}). Write it in OpenSSH's form with \
         `ssh-keygen -p -f FILE`"
    )]
    OldEncryption(String),
    /// An encryption that takes for ever to open, or all memory.
    #[error(
        "the private key is encrypted in a way that takes too much to open: {0}. Write it again with `ssh-keygen -p -a 24 -f FILE`"
    )]
    TooCostly(String),
    /// Anything else.
    #[error(
        "the Secret's `privateKey` can't be read as a private key. It must be ed25519, ecdsa or rsa, in OpenSSH or PEM form, \
         with its BEGIN and END lines"
    )]
    Unreadable,
}

/// Reads a private key; a passphrase for a key that is not encrypted is ignored. Slow where the key is encrypted: that is
/// what the encryption is made for.
pub fn read(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, KeyError> {
    // Indented by YAML, or with the line ends of Windows.
    let text = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.contains("-----BEGIN PUBLIC KEY") {
        return Err(KeyError::Public);
    }
    if !is_encrypted(&text)? {
        return decode_secret_key(&text, None).map_err(|_| KeyError::Unreadable);
    }
    if let Some(cipher) = pem::cipher(&text).filter(|cipher| !pem::is_supported(cipher)) {
        return Err(KeyError::OldEncryption(cipher.to_owned()));
    }
    if let Some(asked) = cost::too_much(&text) {
        return Err(KeyError::TooCostly(asked));
    }
    let passphrase = passphrase.ok_or(KeyError::PassphraseMissing)?;
    if pem::cipher(&text).is_some() {
        let opened = pem::decrypt(&text, passphrase).ok_or(KeyError::PassphraseWrong)?;
        return decode_secret_key(&opened, None).map_err(|_| KeyError::PassphraseWrong);
    }
    decode_secret_key(&text, Some(passphrase)).map_err(|_| KeyError::PassphraseWrong)
}

fn is_encrypted(text: &str) -> Result<bool, KeyError> {
    if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return PrivateKey::from_openssh(text).map(|key| key.is_encrypted()).map_err(|_| KeyError::Unreadable);
    }
    if let Some(ppk) = text.strip_prefix("PuTTY-User-Key-File-") {
        return Ok(!ppk.contains("\nEncryption: none"));
    }
    Ok(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem::cipher(text).is_some())
}

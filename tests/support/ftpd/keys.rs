//! Certificates, made once for each process of tests.

use std::{fs, path::Path, process::Command, sync::OnceLock};

use super::{NAME, Version};

/// Who vouches for certificates.
pub struct Authority {
    /// PEM.
    pub certificate: String,
    /// PEM. In no file: the usual one lasts as long as the process, and nobody would delete it.
    key: String,
}

/// What a server shows, and the key to it; PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        openssl(
            folder.path(),
            &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
            &[
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                "keyUsage=critical,keyCertSign",
                "-keyout",
                "key.pem",
                "-out",
                "authority.pem",
            ],
        );
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        Self { certificate: read("authority.pem"), key: read("key.pem") }
    }

    /// The one that jobs trust.
    pub fn usual() -> &'static Self {
        static USUAL: OnceLock<Authority> = OnceLock::new();
        USUAL.get_or_init(|| Self::new("The tests' authority"))
    }

    /// A certificate for that name (`DNS:…` or `IP:…`), good for so many days; past ones for a negative number.
    pub fn vouch(&self, name: &str, days: i32) -> Certificate {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("authority.pem"), &self.certificate).unwrap();
        fs::write(folder.join("authority.key"), &self.key).unwrap();
        fs::write(folder.join("extensions"), format!("subjectAltName={name}\nextendedKeyUsage=serverAuth\n")).unwrap();
        openssl(
            folder,
            &["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
            &["-subj", "/CN=server", "-keyout", "key.pem", "-out", "request.pem"],
        );
        openssl(
            folder,
            &["x509", "-req", "-in", "request.pem", "-CA", "authority.pem", "-CAkey", "authority.key"],
            &["-CAcreateserial", "-days", &days.to_string(), "-extfile", "extensions", "-out", "certificate.pem"],
        );
        let read = |name| fs::read_to_string(folder.join(name)).unwrap();
        Certificate { chain: read("certificate.pem"), key: read("key.pem") }
    }
}

impl Certificate {
    /// The one that every server shows, unless said otherwise.
    pub fn usual() -> Self {
        static USUAL: OnceLock<Certificate> = OnceLock::new();
        USUAL.get_or_init(|| Authority::usual().vouch(&format!("DNS:{NAME}"), 2)).clone()
    }
}

/// What OpenSSL reads before anything else: which versions of TLS it speaks.
pub fn openssl_conf(version: Version) -> String {
    let bounds = match version {
        Version::Any => "",
        Version::Only12 => "MinProtocol = TLSv1.2\nMaxProtocol = TLSv1.2\n",
        Version::Only13 => "MinProtocol = TLSv1.3\nMaxProtocol = TLSv1.3\n",
    };
    format!("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = usual\n[usual]\n{bounds}")
}

fn openssl(folder: &Path, what: &[&str], more: &[&str]) {
    let made = Command::new("openssl").current_dir(folder).args(what).args(more).output().expect("openssl");
    assert!(made.status.success(), "openssl {what:?}: {}", String::from_utf8_lossy(&made.stderr));
}

//! Listings over encrypted connections that end without a word.

use std::{fs, process::Command};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::*;

/// A certificate that vouches for itself, and its key.
fn certificate() -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=server", "-addext", "subjectAltName=DNS:ftp.example.com"]);
    openssl.args(["-keyout", "key.pem", "-out", "certificate.pem"]).current_dir(folder.path());
    let output = openssl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    (read("certificate.pem"), read("key.pem"))
}

/// A server that encrypts and keeps to a script, and a job for it.
pub async fn encrypted(script: &[(&'static str, Act)], listings: &[(Vec<u8>, bool)]) -> (Scripted, FtpJob) {
    static CERTIFICATE: std::sync::OnceLock<(String, String)> = std::sync::OnceLock::new();
    let (chain, key) = CERTIFICATE.get_or_init(certificate);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let listings = Arc::new(Mutex::new(listings.to_vec()));
    let mut all = vec![("AUTH", Say("234")), ("PBSZ", Say("200 Good.\r\n")), ("PROT", Say("200 Good.\r\n"))];
    all.splice(0..0, script.iter().cloned());
    let server = Scripted::encrypted(&all, Encrypts { acceptor: Arc::new(config).into(), listings }).await;
    let job = FtpJob {
        tls: FtpTls::Explicit,
        ca_bundle: Some(chain.clone()),
        server_name: "ftp.example.com".to_owned(),
        ..server.job()
    };
    (server, job)
}

#[tokio::test]
async fn a_listing_that_ends_without_a_word_must_be_said_twice() {
    let line = |name: &str, size: u32| format!("-rw-r--r-- 1 0 0 {size} Nov 22 13:02 {name}\r\n").into_bytes();
    let (none, one, two) = (Vec::new(), line("a.csv", 1), [line("a.csv", 1), line("users.csv", 9)].concat());
    let grown = [line("a.csv", 2), line("users.csv", 9)].concat();
    for (listings, asked, names) in [
        // In good form once is enough.
        (vec![(two.clone(), true)], 1, Some(2)),
        (vec![(none.clone(), true)], 1, Some(0)),
        // Servers that never say farewell.
        (vec![(two.clone(), false), (two.clone(), false)], 2, Some(2)),
        (vec![(none.clone(), false), (none.clone(), false)], 2, Some(0)),
        (vec![(two.clone(), false), (grown, false)], 2, Some(2)),
        // Cut off at the end of a line, once.
        (vec![(one.clone(), false), (two.clone(), true)], 2, Some(2)),
        (vec![(one.clone(), false), (two.clone(), false), (two.clone(), false)], 3, Some(2)),
        // Never the same.
        (vec![(none, false), (one, false), (two, false)], 3, None),
    ] {
        let script =
            [("FEAT", Say("500 What?\r\n")), ("MDTM", Say("500 What?\r\n")), ("LIST", Send(vec![], "226 Done.\r\n"))];
        let (server, job) = encrypted(&script, &listings).await;
        let listed = Ftp::new(job, &Servers::default()).list().await;
        match names {
            Some(names) => assert_eq!(listed.unwrap().len(), names, "{listings:?}"),
            None => {
                assert!(matches!(&listed, Err(SourceError::Unreachable(why)) if why.contains("farewell")), "{listed:?}")
            }
        }
        assert_eq!(server.heard("LIST").len(), asked, "{listings:?}");
    }
}

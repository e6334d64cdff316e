//! Servers that know only what is old: refused by name, and used where the manifest allows it.

use usersync::{
    api::Algorithms,
    model::job::SftpJob,
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    fetch, listed, says,
    support::sshd::{Sshd, current_user, keygen},
};

/// What a server is told to offer alone, and the name by which Modern refuses it.
const OLD: [(&str, &str); 9] = [
    ("KexAlgorithms diffie-hellman-group14-sha1", "diffie-hellman-group14-sha1"),
    ("KexAlgorithms diffie-hellman-group1-sha1", "diffie-hellman-group1-sha1"),
    ("KexAlgorithms diffie-hellman-group-exchange-sha1", "diffie-hellman-group-exchange-sha1"),
    ("Ciphers aes128-cbc", "aes128-cbc"),
    ("Ciphers aes192-cbc", "aes192-cbc"),
    ("Ciphers aes256-cbc", "aes256-cbc"),
    ("Ciphers aes128-ctr\nMACs hmac-sha1", "hmac-sha1"),
    ("Ciphers aes128-ctr\nMACs hmac-sha1-etm@openssh.com", "hmac-sha1-etm@openssh.com"),
    ("KexAlgorithms diffie-hellman-group1-sha1\nCiphers aes128-cbc\nMACs hmac-sha1", "diffie-hellman-group1-sha1"),
];

#[tokio::test]
async fn old_algorithms_work_where_allowed_and_are_named_where_not() {
    for (config, name) in OLD {
        let sshd = Sshd::start(config);
        std::fs::write(sshd.outbox().join("users.csv"), crate::noise(300_000)).unwrap();
        let job = sshd.job_with_key();
        let error = Sftp::new(job.clone(), &Servers::default()).list().await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{config}: {error:?}");
        says(&error, &[&format!("The server offers: {name}"), "UserSync offers: ", "algorithms: Legacy"]);
        let source = Sftp::new(SftpJob { algorithms: Algorithms::Legacy, ..job }, &Servers::default());
        let stamp = listed(&source, "users.csv").await;
        assert!(fetch(&source, &stamp).await.unwrap() == crate::noise(300_000), "{config}");
    }
}

#[tokio::test]
async fn host_keys_of_rsa_with_sha_1_and_of_1024_bits_are_legacy() {
    let sshd = Sshd::start("");
    for (bits, algorithm) in [("2048", "ssh-rsa"), ("1024", "ssh-rsa")] {
        let key = sshd.path(&format!("rsa_{bits}"));
        keygen(&["-t", "rsa", "-b", bits, "-N", "", "-f", key.to_str().unwrap()]);
        let old = Sshd::start(&format!(
            "HostKeyAlgorithms {algorithm}\nHostKey {}\nRequiredRSASize 1024\nPubkeyAcceptedAlgorithms +ssh-rsa",
            key.display()
        ));
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let job = SftpJob { host_keys: vec![public], ..old.job_with_key() };
        let error = Sftp::new(job.clone(), &Servers::default()).list().await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{bits}: {error:?}");
        says(&error, &["for host keys", "The server offers: ssh-rsa.", "algorithms: Legacy"]);
        let job = SftpJob { algorithms: Algorithms::Legacy, ..job };
        assert_eq!(Sftp::new(job, &Servers::default()).list().await, Ok(vec![]), "{bits}");
    }
}

#[tokio::test]
async fn signatures_of_rsa_keys_with_sha_1_are_legacy() {
    let sshd = Sshd::start("PubkeyAcceptedAlgorithms ssh-rsa");
    let silent = Sshd::start("PubkeyAcceptedAlgorithms ssh-rsa\nMaxAuthTries 2");
    let user = current_user();
    for sshd in [sshd, silent] {
        let private_key = Some(sshd.new_key(&user, &["-t", "rsa", "-b", "2048"], ""));
        let job = SftpJob { private_key, ..sshd.job(&user) };
        let error = Sftp::new(job.clone(), &Servers::default()).list().await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
        says(&error, &["Tried: private key (ssh-rsa", "only with SHA-1", "algorithms: Legacy"]);
        let job = SftpJob { algorithms: Algorithms::Legacy, ..job };
        assert_eq!(Sftp::new(job, &Servers::default()).list().await, Ok(vec![]));
    }
}

#[tokio::test]
async fn what_even_legacy_does_not_know_is_named() {
    let sshd = Sshd::start("Ciphers 3des-cbc");
    let job = SftpJob { algorithms: Algorithms::Legacy, ..sshd.job_with_key() };
    let error = Sftp::new(job, &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["for encryption", "The server offers: 3des-cbc.", "switched on at the server."]);
}

//! Each way to log in, and each way to be turned away.

use std::fs;

use usersync::{
    model::{job::SftpJob, secret::Secret},
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    says,
    support::sshd::{Account, Sshd, current_user},
};

async fn names(job: SftpJob) -> Result<Vec<String>, SourceError> {
    Ok(Sftp::new(job, &Servers::default()).list().await?.into_iter().map(|listed| listed.name).collect())
}

#[tokio::test]
async fn keys_of_each_kind_and_form_log_in() {
    let sshd = Sshd::start("");
    fs::write(sshd.outbox().join("users.csv"), "id\n1\n").unwrap();
    let user = current_user();
    let cases: &[(&[&str], &str)] = &[
        (&["-t", "ed25519"], ""),
        (&["-t", "ed25519"], "open sesame ü"),
        (&["-t", "ecdsa", "-b", "256"], ""),
        (&["-t", "ecdsa", "-b", "384"], "open sesame"),
        (&["-t", "ecdsa", "-b", "521"], ""),
        (&["-t", "ecdsa", "-m", "PEM"], ""),
        (&["-t", "ecdsa", "-m", "PEM"], "open sesame ü"),
        (&["-t", "ecdsa", "-m", "PKCS8"], ""),
        (&["-t", "ecdsa", "-m", "PKCS8"], "open sesame"),
        (&["-t", "rsa", "-b", "2048"], ""),
        (&["-t", "rsa", "-b", "2048"], "open sesame"),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM"], ""),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM"], "open sesame"),
        (&["-t", "rsa", "-b", "2048", "-m", "PKCS8"], ""),
        (&["-t", "rsa", "-b", "2048", "-m", "PKCS8"], "open sesame"),
    ];
    for (options, passphrase) in cases {
        let private_key = Some(sshd.new_key(&user, options, passphrase));
        // Also without need: a passphrase for a key that has none does no harm.
        let passphrase = Some(Secret::new(if passphrase.is_empty() { "unneeded" } else { passphrase }));
        let job = SftpJob { private_key, passphrase, ..sshd.job(&user) };
        assert_eq!(names(job).await, Ok(vec!["users.csv".to_owned()]), "{options:?}");
    }
}

#[tokio::test]
async fn a_key_may_be_indented_and_have_the_line_ends_of_windows() {
    let sshd = Sshd::start("");
    let job = sshd.job_with_key();
    let text = job.private_key.as_ref().unwrap().expose().lines().map(|line| format!("  {line}\r\n"));
    let job = SftpJob { private_key: Some(Secret::new(text.collect::<String>())), ..job };
    assert_eq!(names(job).await, Ok(vec![]));
}

#[tokio::test]
async fn a_key_that_does_not_open_names_the_passphrase() {
    let sshd = Sshd::start("");
    let user = current_user();
    for options in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048", "-m", "PEM"], &["-t", "ecdsa", "-m", "PKCS8"]]
    {
        let private_key = Some(sshd.new_key(&user, options, "open sesame"));
        for (passphrase, part) in [(None, "Add its passphrase"), (Some("shut sesame"), "does not open")] {
            let passphrase = passphrase.map(Secret::new);
            let job = SftpJob { private_key: private_key.clone(), passphrase, ..sshd.job(&user) };
            let error = names(job).await.unwrap_err();
            assert!(matches!(error, SourceError::Denied(_)), "{options:?} {error:?}");
            says(&error, &["`passphrase`", part]);
            assert!(!error.to_string().contains("sesame"));
        }
    }
}

#[tokio::test]
async fn what_is_no_private_key_is_told() {
    let sshd = Sshd::start("");
    let user = current_user();
    let public = sshd.host_key("ed25519");
    for (text, part) in [("hunter2", "can't be read"), (public.as_str(), "holds a public key"), ("", "can't be read")] {
        let job = SftpJob { private_key: Some(Secret::new(text)), ..sshd.job(&user) };
        let error = names(job).await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
        says(&error, &["`privateKey`", part]);
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[tokio::test]
async fn an_unknown_key_is_refused_and_the_servers_offers_are_listed() {
    let sshd = Sshd::start("PasswordAuthentication yes");
    let other = Sshd::start("");
    let job = SftpJob { port: sshd.port, host_keys: vec![sshd.host_key("ed25519")], ..other.job_with_key() };
    let error = names(job).await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["private key (ssh-ed25519", "SHA256:", "accepts: ", "publickey", "password", "authorized_keys"]);
}

#[tokio::test]
async fn nothing_to_log_in_with_is_told() {
    let sshd = Sshd::start("");
    let job = SftpJob { password: Some(Secret::new("of no use here")), ..sshd.job(&current_user()) };
    let error = names(job).await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["Secret has nothing of that kind", "accepts: publickey."]);
}

#[tokio::test]
async fn a_password_logs_in_and_a_wrong_one_does_not() {
    let account = Account::new();
    let sshd = Sshd::start("PasswordAuthentication yes");
    let job = SftpJob { password: Some(Secret::new(&account.password)), ..sshd.job(&account.name) };
    assert_eq!(names(job.clone()).await, Ok(vec![]));
    let error = names(SftpJob { password: Some(Secret::new("wr0ng")), ..job }).await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["Tried: password", "accepts: publickey, password"]);
    assert!(!error.to_string().contains("wr0ng"));
}

#[tokio::test]
async fn the_password_answers_questions() {
    let account = Account::new();
    let sshd = Sshd::start("UsePAM yes\nKbdInteractiveAuthentication yes");
    let job = SftpJob { password: Some(Secret::new(&account.password)), ..sshd.job(&account.name) };
    assert_eq!(names(job.clone()).await, Ok(vec![]));
    let error = names(SftpJob { password: Some(Secret::new("wr0ng")), ..job }).await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["Tried: keyboard-interactive"]);
}

#[tokio::test]
async fn a_server_may_want_key_and_password() {
    let account = Account::new();
    let sshd = Sshd::start("PasswordAuthentication yes\nAuthenticationMethods publickey,password");
    let key = sshd.new_key(&account.name, &["-t", "ed25519"], "");
    let job =
        SftpJob { password: Some(Secret::new(&account.password)), private_key: Some(key), ..sshd.job(&account.name) };
    assert_eq!(names(job.clone()).await, Ok(vec![]));
    let error = names(SftpJob { password: None, ..job }).await.unwrap_err();
    says(&error, &["Tried: private key", "accepts: publickey, password"]);
}

#[tokio::test]
async fn only_the_expected_host_key_is_trusted() {
    let sshd = Sshd::start("");
    let other = Sshd::start("");
    let job = sshd.job_with_key();
    let (ed25519, ecdsa) = (sshd.host_key("ed25519"), sshd.host_key("ecdsa"));
    let known_host = format!("files,[127.0.0.1]:{} {ecdsa} the second one", sshd.port);
    for good in [format!("{ed25519} with a comment"), ecdsa.clone(), known_host] {
        let job = SftpJob { host_keys: vec![other.host_key("ed25519"), good.clone()], ..job.clone() };
        assert_eq!(names(job).await, Ok(vec![]), "{good}");
    }
    // Another key of the same kind, a line for another host, and a kind that the server doesn't have.
    let rsa = sshd.path("other_rsa");
    crate::support::sshd::keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", rsa.to_str().unwrap()]);
    let rsa = fs::read_to_string(rsa.with_extension("pub")).unwrap();
    let bad = [other.host_key("ed25519"), format!("files.example.com {ed25519}"), rsa];
    for bad in bad {
        let error = names(SftpJob { host_keys: vec![bad.clone()], ..job.clone() }).await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{bad}: {error:?}");
        says(&error, &[&format!("\n  {ed25519}\n"), "SHA256:", "hostKeys", "No secret was sent"]);
    }
    let error = names(SftpJob { host_keys: vec!["SHA256:abc".to_owned()], ..job }).await.unwrap_err();
    says(&error, &["\"SHA256:abc\" in hostKeys is no host key"]);
}

#[tokio::test]
async fn weak_algorithms_are_not_used_and_the_servers_are_named() {
    let sshd = Sshd::start("KexAlgorithms diffie-hellman-group14-sha1\nCiphers aes128-cbc\nMACs hmac-sha1");
    let job = sshd.job_with_key();
    let error = names(job.clone()).await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["offers: diffie-hellman-group14-sha1", "algorithms: Legacy"]);
    let job = SftpJob { algorithms: usersync::api::Algorithms::Legacy, ..job };
    assert_eq!(names(job).await, Ok(vec![]));
}

#[tokio::test]
async fn each_modern_cipher_works() {
    for cipher in ["aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"] {
        let sshd = Sshd::start(&format!("Ciphers {cipher}"));
        assert_eq!(names(sshd.job_with_key()).await, Ok(vec![]), "{cipher}");
    }
}

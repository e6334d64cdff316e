//! What a server's folder does: listing, moving, deleting, and what the server refuses.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use usersync::{
    model::{
        file::{ListedKind, Stamp},
        job::{SftpJob, SourceTimeouts},
    },
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    fetch, listed, says,
    support::{
        delay::Proxy,
        sshd::{Account, Sshd},
    },
};

#[tokio::test]
async fn a_folder_is_listed_with_kinds_sizes_and_times() {
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    for name in ["users.csv", "Größe & Maß.csv", "two words.csv", "-rf.csv", ".hidden", "日本.csv"] {
        fs::write(outbox.join(name), name).unwrap();
    }
    fs::create_dir(outbox.join("bak")).unwrap();
    std::os::unix::fs::symlink("users.csv", outbox.join("link.csv")).unwrap();
    std::os::unix::fs::symlink("nowhere", outbox.join("dangling.csv")).unwrap();
    std::os::unix::fs::symlink("bak", outbox.join("to bak")).unwrap();
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    fs::write(outbox.join(OsStr::from_bytes(b"latin1_\xfc.csv")), "skipped").unwrap();
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());

    let mut all = source.list().await.unwrap();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> = all.iter().map(|listed| (listed.name.as_str(), listed.kind)).collect();
    use ListedKind::{File, Folder, Other};
    let expected = [
        ("-rf.csv", File),
        (".hidden", File),
        ("Größe & Maß.csv", File),
        ("bak", Folder),
        ("dangling.csv", Other),
        ("link.csv", File),
        ("to bak", Folder),
        ("two words.csv", File),
        ("users.csv", File),
        ("日本.csv", File),
    ];
    assert_eq!(found, expected);
    for file in all.iter().filter(|listed| listed.kind == File) {
        let stamp = Stamp::from(file);
        assert_eq!(source.stat(&file.name).await, Ok(Some(stamp.clone())));
        let content = fetch(&source, &stamp).await.unwrap();
        assert_eq!(content, fs::read(outbox.join(&file.name)).unwrap(), "{}", file.name);
    }
    let seconds = fs::metadata(outbox.join("users.csv")).unwrap().modified().unwrap();
    let seconds = seconds.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    assert_eq!(listed(&source, "users.csv").await.mtime.as_second(), seconds);
    assert_eq!(source.stat("bak").await, Ok(None));
    assert_eq!(source.stat("absent.csv").await, Ok(None));
}

#[tokio::test]
async fn five_thousand_names_are_listed() {
    let sshd = Sshd::start("");
    for number in 0..5000 {
        fs::write(sshd.outbox().join(format!("userdata_{number:04}.csv")), "").unwrap();
    }
    let all = Sftp::new(sshd.job_with_key(), &Servers::default()).list().await.unwrap();
    let names: std::collections::BTreeSet<_> = all.iter().map(|listed| listed.name.as_str()).collect();
    assert_eq!(names.len(), 5000);
    assert!(names.contains("userdata_0000.csv") && names.contains("userdata_4999.csv"));
}

#[tokio::test]
async fn a_path_may_be_relative_to_the_login() {
    let account = Account::new();
    let sshd = Sshd::start("");
    let key = sshd.new_key(&account.name, &["-t", "ed25519"], "");
    let relative = sshd.outbox().strip_prefix("/").unwrap().to_str().unwrap().to_owned();
    let job = SftpJob { private_key: Some(key), path: format!("{relative}/"), ..sshd.job(&account.name) };
    fs::write(sshd.outbox().join("users.csv"), "x").unwrap();
    let source = Sftp::new(job, &Servers::default());
    let stamp = listed(&source, "users.csv").await;
    assert_eq!(fetch(&source, &stamp).await, Ok(b"x".to_vec()));
    assert_eq!(source.location(), format!("sftp://127.0.0.1:{}/~/{relative}", sshd.port));
}

#[tokio::test]
async fn files_move_into_a_folder_that_is_made_and_never_over_another() {
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    fs::set_permissions(&outbox, fs::Permissions::from_mode(0o750)).unwrap();
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    fs::write(outbox.join("a b.csv"), "first").unwrap();
    source.rename("a b.csv", "bak/a b.csv").await.unwrap();
    assert_eq!(fs::read(outbox.join("bak/a b.csv")).unwrap(), b"first");
    assert_eq!(fs::metadata(outbox.join("bak")).unwrap().permissions().mode() & 0o777, 0o750);

    fs::write(outbox.join("a b.csv"), "second").unwrap();
    let error = source.rename("a b.csv", "bak/a b.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");
    assert_eq!(fs::read(outbox.join("bak/a b.csv")).unwrap(), b"first");
    assert_eq!(fs::read(outbox.join("a b.csv")).unwrap(), b"second");
    // A link that leads nowhere has the name as well.
    std::os::unix::fs::symlink("nowhere", outbox.join("bak/dangling")).unwrap();
    let error = source.rename("a b.csv", "bak/dangling").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");

    let error = source.rename("gone.csv", "bak/gone.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Missing(_)), "{error:?}");
    source.rename("a b.csv", "deep/er/a.csv").await.unwrap();
    source.delete("deep/er/a.csv").await.unwrap();
    let error = source.delete("deep/er/a.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Missing(_)), "{error:?}");
    for name in ["../users.csv", "/etc/passwd", "bak/../../x"] {
        let error = source.rename("bak/a b.csv", name).await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{name}: {error:?}");
    }
    assert!(outbox.join("bak/a b.csv").exists());
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let sshd = Sshd::start("");
    let job = sshd.job_with_key();
    for path in [sshd.path("nowhere"), sshd.path("config")] {
        let job = SftpJob { path: path.to_str().unwrap().to_owned(), ..job.clone() };
        let error = Sftp::new(job, &Servers::default()).list().await.unwrap_err();
        assert!(matches!(error, SourceError::FolderMissing(_)), "{error:?}");
        says(&error, &[path.to_str().unwrap(), "source.path"]);
    }
}

#[tokio::test]
async fn what_the_account_may_not_do_is_told() {
    let account = Account::new();
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    let key = sshd.new_key(&account.name, &["-t", "ed25519"], "");
    let source = Sftp::new(SftpJob { private_key: Some(key), ..sshd.job(&account.name) }, &Servers::default());
    fs::write(outbox.join("users.csv"), "secret").unwrap();
    let stamp = listed(&source, "users.csv").await;

    fs::set_permissions(outbox.join("users.csv"), fs::Permissions::from_mode(0o600)).unwrap();
    let error = fetch(&source, &stamp).await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["users.csv", "read the file"]);

    for error in [
        source.rename("users.csv", "bak/users.csv").await.unwrap_err(),
        source.rename("users.csv", "other.csv").await.unwrap_err(),
        source.delete("users.csv").await.unwrap_err(),
    ] {
        assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
        says(&error, &["change the folder"]);
    }
    assert!(outbox.join("users.csv").exists());

    fs::set_permissions(&outbox, fs::Permissions::from_mode(0o700)).unwrap();
    let error = source.list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["read the folder"]);
}

#[tokio::test]
async fn an_account_without_sftp_is_told() {
    let sshd = Sshd::start("ForceCommand /bin/false\nMaxSessions 0");
    let error = Sftp::new(sshd.job_with_key(), &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["does not offer SFTP"]);
    let sshd = Sshd::start("ForceCommand /bin/echo Welcome to this server");
    let error = Sftp::new(sshd.job_with_key(), &Servers::default()).list().await.unwrap_err();
    says(&error, &["not SFTP"]);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let mut sshd = Sshd::start("");
    let job = sshd.job_with_key();
    let error = Sftp::new(SftpJob { host: "no-such-host.invalid".to_owned(), ..job.clone() }, &Servers::default())
        .list()
        .await
        .unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["no-such-host.invalid", "source.sftp.host"]);
    sshd.kill();
    let error = Sftp::new(job, &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["no connection", "firewall"]);
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let sshd = Sshd::start("");
    let short = Duration::from_millis(300);
    let job = sshd.job_with_key();
    let timeouts = SourceTimeouts { login: short, ..job.timeouts };
    let proxy = Proxy::start(sshd.port, Duration::ZERO).await;
    proxy.hold_after(0);
    let error =
        Sftp::new(SftpJob { port: proxy.port, timeouts, ..job.clone() }, &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["source.timeouts.login"]);

    proxy.release();
    let timeouts = SourceTimeouts { stall: Duration::from_secs(5), ..job.timeouts };
    let source = Sftp::new(SftpJob { port: proxy.port, timeouts, ..job }, &Servers::default());
    source.list().await.unwrap();
    proxy.hold_after(0);
    let error = source.list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["source.timeouts.stall"]);
    // What answers again is asked again, over a new connection.
    proxy.release();
    source.list().await.unwrap();
}

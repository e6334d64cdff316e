//! Columns: folders on other disks and with rights of their own, and a certificate that vouches for itself.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
    time::{Duration, SystemTime},
};

use usersync::{
    api::Mode,
    model::{
        job::{FtpJob, SftpJob, SourceJob},
        reason::Reason,
    },
    ports::SourceError,
};

use crate::{
    fetch, listed, noise, runs, says,
    support::ftpd::{Brand, Certificate, Ftpd, NAME, Protocol, Setup, open},
};

/// The server's own rename reaches no further than one disk.
pub async fn moves_to_another_disk(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, Setup { chroot: false, ..setup });
    symlink(server.other_disk(), server.outbox().join("bak")).unwrap();
    let content = noise(1_500_001);
    let path = server.put("users.csv", &content);
    let source = server.source();
    let before = listed(&*source, "users.csv").await;
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert!(!path.exists());
    let after = source.stat("bak/users.csv").await.unwrap().unwrap();
    assert_eq!(after.size, before.size);
    // ProFTPD copies by itself where its rename does not reach, and gives the copy the time of the move.
    if brand != Brand::ProFtpd {
        assert_eq!(after.mtime, before.mtime);
    }
    assert!(fetch(&*source, &after, 0).await.unwrap() == content);
    let mut job = server.job();
    job.path += "/bak";
    let there = open(SourceJob::Ftp(Box::new(job))).list().await.unwrap();
    assert_eq!(
        there.iter().map(|listed| listed.name.as_str()).collect::<Vec<_>>(),
        ["users.csv"],
        "nothing else is left"
    );

    // A name that is taken there stays what it is.
    server.put("users.csv", b"new");
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");
    // More than has room there.
    server.put("users.csv", &vec![b'x'; 20 << 20]);
    let error = source.rename("users.csv", "bak/users_2.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert_eq!(fs::metadata(path).unwrap().len(), 20 << 20);
    assert_eq!(source.stat("bak/users_2.csv").await.unwrap(), None);
    assert_eq!(source.stat("bak/users_2.csv.usersync.part").await.unwrap(), None);
}

/// Whatever a server makes of a move to another disk: the file is there once, and imported once.
pub async fn archives_on_another_disk(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, Setup { chroot: false, ..setup });
    symlink(server.other_disk(), server.outbox().join("bak")).unwrap();
    let (folder, bak) = match server.setup.protocol {
        Protocol::Sftp => {
            let bak = SftpJob { path: server.path() + "/bak", ..server.sftp_job() };
            (SourceJob::Sftp(Box::new(server.sftp_job())), SourceJob::Sftp(Box::new(bak)))
        }
        _ => {
            let bak = FtpJob { path: server.path() + "/bak", ..server.job() };
            (SourceJob::Ftp(Box::new(server.job())), SourceJob::Ftp(Box::new(bak)))
        }
    };
    let bench = runs::bench_of(folder).await;
    for times in [1, 2] {
        let content = runs::csv(2_000 * times);
        let path = server.put("users.csv", &content);
        // Long enough ago that the time of the move is another one.
        let written = SystemTime::now() - Duration::from_secs(600);
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        let ended = bench.run(Mode::Import).await;
        assert_eq!((ended.report.reason, &ended.unfinished), (Reason::Completed, &None), "{:?}", ended.report);
        assert_eq!(ended.report.warnings, Vec::<String>::new());
        assert_eq!(runs::users(&bench).await, 2_000 * times);
        // Imported again, it would be seen.
        bench.execute("delete from users").await;
        let next = bench.run(Mode::Import).await;
        assert_eq!((next.report.reason, runs::users(&bench).await), (Reason::NoFile, 0), "{:?}", next.report);
        let left: Vec<_> = fs::read_dir(server.outbox()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["bak"]);
        let source = open(bak.clone());
        let there = source.list().await.unwrap();
        assert_eq!(there.len(), times, "{there:?}");
        let mut same = 0;
        for file in &there {
            same += usize::from(fetch(&*source, &file.into(), 0).await.unwrap() == content);
        }
        assert_eq!(same, 1, "{there:?}");
    }
}

/// A folder that is made has the rights of the one it is in, whatever the server gives new folders.
pub async fn makes_folders_with_the_parents_rights(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    fs::set_permissions(server.outbox(), fs::Permissions::from_mode(0o771)).unwrap();
    server.put("users.csv", b"id\n");
    server.source().rename("users.csv", "bak/2026/users.csv").await.unwrap();
    for folder in ["bak", "bak/2026"] {
        let mode = fs::metadata(server.outbox().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o771, "{folder}");
    }
}

/// What `openssl req -x509` makes signs itself and may sign others: no chain leads to it. Who names exactly it means it.
pub async fn vouches_for_itself(brand: Brand, setup: Setup) {
    let certificate = |days: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days]);
        openssl.args(["-subj", "/CN=server", "-addext", &format!("subjectAltName=DNS:{NAME}")]);
        openssl.args(["-keyout", "key.pem", "-out", "certificate.pem"]).current_dir(folder.path());
        let output = openssl.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        Certificate { chain: read("certificate.pem"), key: read("key.pem") }
    };
    let (own, another) = (certificate("2"), certificate("2"));
    let server = Ftpd::start(brand, Setup { certificate: Some(own.clone()), ..setup });
    server.put("users.csv", b"id\n");
    let with = |bundle: &str, name: &str| {
        let (ca_bundle, server_name) = (Some(bundle.to_owned()), name.to_owned());
        open(SourceJob::Ftp(Box::new(FtpJob { ca_bundle, server_name, ..server.job() })))
    };
    let source = with(&own.chain, NAME);
    let file = listed(&*source, "users.csv").await;
    assert_eq!(fetch(&*source, &file, 0).await.unwrap(), b"id\n");
    for (bundle, name, words) in [
        (&another.chain, NAME, "source.ftp.caBundle"),
        (&own.chain, "other.example.com", "“ftp.example.com” and not for “other.example.com”"),
    ] {
        let error = with(bundle, name).list().await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
        says(&error, &[words, "No password was sent"]);
    }
}

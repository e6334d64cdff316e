//! Columns: what becomes of a file.

use std::{fs, os::unix::fs::PermissionsExt};

use usersync::ports::SourceError;

use crate::{
    listed, look, says,
    support::ftpd::{Brand, Ftpd, Setup},
};

pub async fn archives(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let source = server.source();
    for name in look::NAMES {
        server.put(name, name.as_bytes());
    }
    // Into a folder that is missing, then into the one that was made.
    for name in look::NAMES {
        source.rename(name, &format!("bak of [2026]/{name}")).await.unwrap();
    }
    for name in look::NAMES {
        assert_eq!(fs::read(server.outbox().join("bak of [2026]").join(name)).unwrap(), name.as_bytes());
    }
    let all = source.list().await.unwrap();
    assert_eq!(all.iter().map(|listed| listed.name.as_str()).collect::<Vec<_>>(), ["bak of [2026]"]);
    // And back, as when it turns out to be another file.
    source.rename("bak of [2026]/-rf.csv", "-rf.csv").await.unwrap();
    assert_eq!(fs::read(server.outbox().join("-rf.csv")).unwrap(), b"-rf.csv");
    let error = source.rename("no such.csv", "bak of [2026]/no such.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Missing(_)), "{error:?}");
}

pub async fn never_overwrites(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let source = server.source();
    let new = server.put("users.csv", b"new");
    server.make_folder("bak");
    let old = server.put("bak/users.csv", b"old");
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");
    assert_eq!((fs::read(&new).unwrap(), fs::read(&old).unwrap()), (b"new".to_vec(), b"old".to_vec()));
    // `bak` is a file.
    server.put("taken", b"a file");
    let error = source.rename("users.csv", "taken/users.csv").await.unwrap_err();
    says(&error, &["/outbox/"]);
    assert_eq!(fs::read(server.outbox().join("taken")).unwrap(), b"a file");
    assert_eq!(fs::read(&new).unwrap(), b"new");
    source.rename("users.csv", "bak/users_2.csv").await.unwrap();
    assert_eq!(fs::read(server.outbox().join("bak/users_2.csv")).unwrap(), b"new");
}

pub async fn folder_cannot_be_written(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let source = server.source();
    let path = server.put("users.csv", b"id\n");
    fs::set_permissions(server.outbox(), fs::Permissions::from_mode(0o555)).unwrap();
    for to in ["bak/users.csv", "users_2.csv"] {
        let error = source.rename("users.csv", to).await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{to}: {error:?}");
    }
    let error = source.delete("users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), b"id\n");
    // The right is given: the same source goes on.
    fs::set_permissions(server.outbox(), fs::Permissions::from_mode(0o755)).unwrap();
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert!(!path.exists());
}

pub async fn deletes(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let source = server.source();
    for name in look::NAMES {
        let path = server.put(name, b"id\n");
        listed(&*source, name).await;
        source.delete(name).await.unwrap();
        assert!(!path.exists(), "{name}");
    }
    assert!(source.list().await.unwrap().is_empty());
}

//! Which paths a namespace may name, and what tells that a Secret has changed.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    tests::{Fixed, sync},
    *,
};
use crate::model::{
    job::{Database, SourceJob},
    secret::{References, Secret},
};

#[test]
fn in_a_cluster_paths_stay_in_the_namespaces_folder() {
    let below = Bounds::Below("/data".into());
    let found = |patch: Value, bounds: &Bounds| {
        let sync = sync(patch);
        let secret_free = out_of_bounds(&sync, bounds);
        let job = bounded_job(&sync, "usersync", &Fixed::usual(), bounds);
        assert_eq!(secret_free.is_empty(), job.is_ok(), "{secret_free:?}");
        job.map_err(|problems| {
            assert_eq!(problems, secret_free);
            problems[0].to_string()
        })
    };
    let directory = |path: &str| json!({"source": {"sftp": null, "path": null, "directory": {"path": path}}});
    for (path, expected) in [
        ("inbox", "/data/people/inbox"),
        ("./in//box/", "/data/people/in/box"),
        ("/data/people/inbox", "/data/people/inbox"),
        ("/data/people", "/data/people"),
        (".", "/data/people"),
    ] {
        let job = found(directory(path), &below).unwrap();
        let SourceJob::Directory { path, beneath } = &job.source else { panic!() };
        assert_eq!((path.as_path(), beneath.as_deref()), (Path::new(expected), Some(Path::new("/data/people"))));
    }
    for path in [
        "..",
        "../others",
        "in/../../others",
        "/data/people/../others",
        "/etc",
        "/data",
        "/data/others",
        "/data/people2",
    ] {
        let problem = found(directory(path), &below).unwrap_err();
        assert!(
            problem.starts_with("spec.source.directory.path: ") && problem.contains("below /data/people"),
            "{problem}"
        );
    }
    let sqlite = |url: &str| json!({"target": {"url": {"secretKeyRef": null, "value": url}}});
    for (url, expected) in [
        ("sqlite:users.db?mode=rwc", "sqlite:/data/people/users.db?mode=rwc"),
        ("sqlite:///data/people/us%65rs.db", "sqlite:/data/people/users.db"),
    ] {
        let job = found(sqlite(url), &below).unwrap();
        let Database::Sqlite { url, beneath } = &job.target.database else { panic!() };
        assert_eq!((url.expose(), beneath.as_deref()), (expected, Some(Path::new("/data/people"))));
    }
    for url in
        ["sqlite:/data/others/users.db", "sqlite:%2e%2e/others/users.db", "sqlite:..%2Fusers.db", "sqlite:in/users.db"]
    {
        let problem = found(sqlite(url), &below).unwrap_err();
        assert!(problem.starts_with("spec.target.url.value: ") && problem.contains("/data/people"), "{problem}");
    }
    for patch in [directory("inbox"), sqlite("sqlite:users.db")] {
        let problem = found(patch, &Bounds::Nowhere).unwrap_err();
        assert!(problem.contains("--directory-root DIR"), "{problem}");
    }
    assert!(found(json!({}), &Bounds::Nowhere).is_ok(), "servers need no folder");
    let mut elsewhere = sync(directory("inbox"));
    for namespace in ["..", "a/b", ""] {
        elsewhere.metadata.namespace = Some(namespace.to_owned());
        assert_eq!(out_of_bounds(&elsewhere, &below).len(), 1, "{namespace:?}");
    }
}

#[test]
fn another_value_gives_another_digest_of_references() {
    let references = |secrets: &[(&str, &str, &str)]| {
        let mut found = References::default();
        for (name, key, value) in secrets {
            let keys = found.secrets.entry((*name).to_owned()).or_default();
            keys.insert((*key).to_owned(), Secret::new(*value));
        }
        references_digest(&found)
    };
    let digests = [
        references(&[]),
        references(&[("a", "b", "c")]),
        references(&[("a", "b", "d")]),
        references(&[("a", "bc", "")]),
        references(&[("ab", "c", "")]),
        references(&[("a", "b", "c"), ("a", "d", "")]),
        references(&[("a", "b", "c"), ("d", "", "")]),
    ];
    for (at, digest) in digests.iter().enumerate() {
        assert_eq!(digest.len(), 64);
        assert!(!digests[..at].contains(digest), "{at}");
    }
    assert_eq!(references(&[("a", "b", "c")]), digests[1]);
}

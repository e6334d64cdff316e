//! What manifests become, and which are refused with which words.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{Action, Algorithms},
    model::{
        job::{After, Database, SourceJob},
        secret::Secret,
    },
};

/// Secrets by name and key.
#[derive(Default)]
pub struct Fixed(BTreeMap<String, BTreeMap<String, String>>);

impl Fixed {
    pub fn with(mut self, name: &str, keys: &[(&str, &str)]) -> Self {
        let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.0.insert(name.to_owned(), keys);
        self
    }

    /// Those of [`spec`].
    pub fn usual() -> Self {
        Self::default()
            .with("hr-sftp", &[("username", "hr\n"), ("password", "s3cret \n")])
            .with("users-db", &[("url", "postgres://sync:s3cret@db.example.com/users\n")])
    }
}

impl Secrets for Fixed {
    fn secret(&self, namespace: &str, name: &str, key: &str) -> Option<Secret> {
        assert_eq!(namespace, "people", "no other namespace is read");
        self.0.get(name)?.get(key).map(Secret::new)
    }

    fn secret_exists(&self, namespace: &str, name: &str) -> bool {
        assert_eq!(namespace, "people", "no other namespace is read");
        self.0.contains_key(name)
    }
}

/// A spec that is fine, over SFTP and PostgreSQL, with `patch` merged in; null removes.
fn spec(patch: Value) -> Value {
    let mut spec = json!({
        "source": {
            "sftp": {"host": "files.example.com", "credentials": {"name": "hr-sftp"}, "hostKeys": ["ssh-ed25519 AAAA"]},
            "path": "/outbox",
        },
        "mapping": {
            "userId": {"column": "employee_id"},
            "properties": [
                {"property": "email", "column": ["E-mail", "Mail"], "required": true, "type": "Email"},
                {"property": "display_name", "expression": "row['First']"},
                {"property": "locale"},
            ],
        },
        "target": {"url": {"secretKeyRef": {"name": "users-db", "key": "url"}}},
    });
    json_patch::merge(&mut spec, &patch);
    spec
}

/// The sync with that spec.
pub fn sync(patch: Value) -> UserSync {
    let object = json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync",
        "metadata": {"name": "hr", "namespace": "people"}, "spec": spec(patch),
    });
    serde_json::from_value(object).unwrap()
}

fn job_with(patch: Value, secrets: &Fixed) -> Result<SyncJob, Vec<JobProblem>> {
    sync_job(&sync(patch), "usersync", secrets, Path::new("/git/manifests"))
}

fn job(patch: Value) -> SyncJob {
    job_with(patch, &Fixed::usual()).unwrap()
}

fn refused(patch: Value) -> Vec<String> {
    job_with(patch, &Fixed::usual()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_manifest_becomes_a_job() {
    let job = job(json!({}));
    assert_eq!(job.sync.to_string(), "people/hr");
    let SourceJob::Sftp(sftp) = &job.source else { panic!("{:?}", job.source) };
    assert_eq!((sftp.host.as_str(), sftp.port, sftp.path.as_str()), ("files.example.com", 22, "/outbox"));
    assert_eq!(sftp.username, "hr", "without the line break");
    assert_eq!(sftp.password.as_ref().unwrap().expose(), "s3cret ", "without the line break, with the blank");
    assert_eq!((sftp.algorithms, sftp.private_key.is_none()), (Algorithms::Modern, true));
    assert_eq!(sftp.timeouts.stall, Duration::from_secs(60));
    assert_eq!(job.take.files, "userdata_*.csv");
    assert_eq!((job.take.max_size, job.take.stable_for), (200 << 20, Duration::from_secs(10)));
    assert_eq!((job.take.after_import, job.take.after_failure), (After::MoveTo("bak".to_owned()), After::Keep));
    assert_eq!((job.csv.delimiter, job.csv.encoding.as_str(), job.csv.trim), (None, "UTF-8", true));
    assert_eq!(job.mapping.user_id.property, "employee_id");
    assert_eq!(job.mapping.user_id.from, From::Column(vec!["employee_id".to_owned()]));
    let from: Vec<_> = job.mapping.properties.iter().map(|property| property.from.clone()).collect();
    assert_eq!(
        from,
        [
            From::Column(vec!["E-mail".to_owned(), "Mail".to_owned()]),
            From::Expression("row['First']".to_owned()),
            From::Column(vec!["locale".to_owned()]),
        ]
    );
    assert_eq!((job.action, job.removal), (Action::Upsert, Removal::Delete));
    assert_eq!((job.safeguards.max_removals, job.safeguards.min_rows), (Limit::Percent(10.0), 1));
    let Database::Postgres(url) = &job.target.database else { panic!() };
    assert_eq!(url.expose(), "postgres://sync:s3cret@db.example.com/users");
    assert_eq!((job.target.table.as_str(), job.target.timeouts.statement), ("users", Duration::from_secs(600)));
    assert_eq!(job.warnings, Vec::<String>::new());
}

#[test]
fn the_user_id_has_one_name_or_two() {
    for (user_id, property, columns) in [
        (json!({"column": "id"}), "id", vec!["id"]),
        (json!({"column": ["No", "Id"]}), "No", vec!["No", "Id"]),
        (json!({"property": "id", "column": null}), "id", vec!["id"]),
        (json!({"property": "id", "column": "Nr."}), "id", vec!["Nr."]),
    ] {
        let job = job(json!({"mapping": {"userId": user_id}}));
        assert_eq!(job.mapping.user_id.property, property);
        assert_eq!(job.mapping.user_id.from, From::Column(columns.into_iter().map(str::to_owned).collect()));
    }
}

#[test]
fn relative_paths_are_relative_to_the_manifest() {
    for (path, absolute) in [("inbox", "/git/manifests/inbox"), ("/data/inbox", "/data/inbox")] {
        let job = job(json!({"source": {"sftp": null, "path": null, "directory": {"path": path}}}));
        let SourceJob::Directory { path, .. } = &job.source else { panic!() };
        assert_eq!(path, Path::new(absolute));
        assert_eq!(job.take.stable_for, Duration::from_secs(2));
    }
    for (url, absolute) in [
        ("sqlite:users.db", "sqlite:/git/manifests/users.db"),
        ("sqlite://users.db?mode=rwc", "sqlite:/git/manifests/users.db?mode=rwc"),
        ("sqlite:///data/users.db", "sqlite:/data/users.db"),
        ("sqlite:/data/users.db", "sqlite:/data/users.db"),
    ] {
        let job = job(json!({"target": {"url": {"secretKeyRef": null, "value": url}}}));
        let Database::Sqlite { url, .. } = &job.target.database else { panic!() };
        assert_eq!(url.expose(), absolute);
    }
    assert!(matches!(job(json!({"target": null})).target.database, Database::Embedded));
    assert!(matches!(job(json!({"target": {"url": null}})).target.database, Database::Embedded));
}

#[test]
fn problems_say_where_and_what_to_do() {
    let directory = json!({"sftp": null, "path": null, "directory": {"path": "inbox"}});
    let deactivate = |removal: Value| {
        let mut all = json!({"policy": "Deactivate", "set": {"active": "false"}});
        json_patch::merge(&mut all, &removal);
        json!({"action": "Mirror", "removal": all})
    };
    let property = |property: Value| json!({"mapping": {"properties": [property]}});
    let url = |value: &str| json!({"target": {"url": {"secretKeyRef": null, "value": value}}});
    for (patch, field, part) in [
        (json!({"source": {"sftp": null}}), "spec.source", "exactly one source"),
        (json!({"source": {"directory": {"path": "x"}}}), "spec.source", "exactly one source"),
        (json!({"source": {"files": "users_[.csv"}}), "spec.source.files", "not a pattern"),
        (json!({"action": "Delete"}), "spec.source.files", "name its files"),
        (json!({"source": {"maxSize": 0}}), "spec.source.maxSize", "200Mi"),
        (
            json!({"source": {"csv": {"encoding": "EBCDIC"}}}),
            "spec.source.csv.encoding",
            "“EBCDIC” is no known encoding",
        ),
        (
            json!({"source": {"afterImport": {"moveTo": "../bak"}}}),
            "spec.source.afterImport.moveTo",
            "within the source's",
        ),
        (json!({"source": {"afterImport": {"keep": {}, "moveTo": "a"}}}), "spec.source.afterImport", "exactly one"),
        (json!({"source": {"sftp": {"hostKeys": ["SHA256:abc"]}}}), "spec.source.sftp.hostKeys[0]", "a fingerprint"),
        (
            json!({"source": {"sftp": {"hostKeys": ["[a]:22 ssh-rsa AAAAB3", "ssh-rsa"]}}}),
            "spec.source.sftp.hostKeys[1]",
            "not a public key",
        ),
        (json!({"source": {"sftp": {"hostKeys": []}}}), "spec.source.sftp.hostKeys", "name the server's public key"),
        (json!({"source": {"timeouts": {"login": "0s"}}}), "spec.source.timeouts.login", "15s"),
        (json!({"mapping": {"userId": {"column": null}}}), "spec.mapping.userId", "name the column"),
        (json!({"mapping": {"userId": {"column": []}}}), "spec.mapping.userId.column", "name a column"),
        (json!({"mapping": {"timeZone": "Mars/Base"}}), "spec.mapping.timeZone", "IANA"),
        (
            property(json!({"property": "a", "column": "A", "expression": "1"})),
            "spec.mapping.properties[0].expression",
            "remove",
        ),
        (
            property(json!({"property": "a", "column": ["A", "A"]})),
            "spec.mapping.properties[0].column",
            "“A” stands there twice",
        ),
        (
            property(json!({"property": "a", "column": ["A", " "]})),
            "spec.mapping.properties[0].column",
            "name a column",
        ),
        (property(json!({"property": "employee_id"})), "spec.mapping.properties[0].property", "by userId already"),
        (
            json!({"mapping": {"properties": [{"property": "a"}, {"property": "a"}]}}),
            "spec.mapping.properties[1].property",
            "mapped twice",
        ),
        (
            json!({"target": {"protectedColumns": ["email"]}}),
            "spec.target.protectedColumns",
            "“email” is mapped and protected",
        ),
        (json!({"target": {"protectedColumns": ["employee_id"]}}), "spec.target.protectedColumns", "“employee_id”"),
        (json!({"target": {"scope": {"locale": "en"}}}), "spec.target.scope.locale", "constant of the scope"),
        (json!({"target": {"table": "a.b.c"}}), "spec.target.table", "schema.users"),
        (
            json!({"target": {"ledgerSchema": "sync", "url": null}}),
            "spec.target.ledgerSchema",
            "SQLite database has no schemas",
        ),
        (
            json!({"target": {"caBundle": {"secretKeyRef": {"name": "ca", "key": "ca.crt"}}, "url": null}}),
            "spec.target.caBundle",
            "no connection",
        ),
        (json!({"target": {"timeouts": {"lock": "0s"}}}), "spec.target.timeouts.lock", "15s"),
        (deactivate(json!({})), "spec.removal.restore", "stay inactive"),
        (deactivate(json!({"restore": {"active": "false"}})), "spec.removal.restore.active", "the other one"),
        (deactivate(json!({"restore": {"active": "true", "x": "y"}})), "spec.removal.restore.x", "only columns of set"),
        (
            deactivate(json!({"set": {"employee_id": ""}, "restore": {"employee_id": "1", "active": "true"}})),
            "spec.removal.set.employee_id",
            "the match key",
        ),
        (
            deactivate(json!({"restore": {"active": "true"}, "gracePeriod": "0s"})),
            "spec.removal.gracePeriod",
            "policy: Delete",
        ),
        (json!({"schedule": {"every": "10ms"}}), "spec.schedule.every", "1s or more"),
        (url("mysql:db"), "spec.target.url.value", "mysql://"),
        (url("users.db"), "spec.target.url.value", "must begin with postgres://"),
        (url("postgres:db"), "spec.target.url.value", "must begin with postgres://"),
        (url("sqlite::memory:"), "spec.target.url.value", "sqlite:users.db"),
        (url("postgres://u:p@db/users"), "spec.target.url.value", "put it into a Secret"),
        (url("postgres://db/users?password=p"), "spec.target.url.value", "put it into a Secret"),
    ] {
        let found = job_with(patch.clone(), &Fixed::usual()).expect_err(&patch.to_string());
        assert_eq!(found.len(), 1, "{patch}: {found:?}");
        assert_eq!(found[0].field, field, "{patch}");
        assert!(found[0].message.contains(part), "{patch}: {}", found[0]);
    }
    assert!(job_with(json!({"source": directory}), &Fixed::usual()).is_ok());
}

#[test]
fn missing_secrets_say_what_to_make() {
    let db = [("url", "postgres://db/users")];
    for (secrets, problem) in [
        (
            Fixed::default().with("users-db", &db),
            "spec.source.sftp.credentials: there is no Secret “hr-sftp” in namespace “people”: make one, with the key \
             username, and password or privateKey, or name another",
        ),
        (
            Fixed::default().with("users-db", &db).with("hr-sftp", &[("privateKey", "…")]),
            "spec.source.sftp.credentials: the Secret “hr-sftp” has no key “username”, or it is empty: add it; it holds the \
             name to log in with",
        ),
        (
            Fixed::default().with("users-db", &db).with("hr-sftp", &[("username", "hr"), ("password", "\n")]),
            "spec.source.sftp.credentials: the Secret “hr-sftp” has neither “password” nor “privateKey”: add one of them \
             (privateKey: a key in OpenSSH or PEM form, with passphrase if it is encrypted)",
        ),
        (
            Fixed::usual().with("users-db", &[("URL", "postgres://db/users")]),
            "spec.target.url.secretKeyRef: the Secret “users-db” has no key “url”, or it is empty: add it; it holds the \
             database's URL, like postgres://USER:PASSWORD@HOST/DATABASE",
        ),
    ] {
        let found = job_with(json!({}), &secrets).unwrap_err();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [problem]);
    }
    let found = job_with(json!({"mapping": {"timeZone": "x"}}), &Fixed::default()).unwrap_err();
    assert_eq!(found.len(), 3, "all at once: {found:?}");
}

#[test]
fn no_message_shows_a_secret() {
    for url in ["mysql:sync:s3cret@db/users", "s3cret", "oracle://sync:s3cret@db"] {
        let secrets = Fixed::usual().with("users-db", &[("url", url)]);
        let found = job_with(json!({}), &secrets).unwrap_err();
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
    }
    assert!(!format!("{:?}", job(json!({}))).contains("s3cret"));
}

#[test]
fn what_is_not_built_is_refused() {
    let found = refused(json!({"source": {"sftp": null, "path": null, "dropBox": {"credentials": {"name": "x"}}}}));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("spec.source.dropBox: "), "{found:?}");
    assert!(found[0].contains("not available in this version"), "{found:?}");
}

#[test]
fn what_waits_for_the_operator_is_accepted() {
    job(json!({
        "suspend": true, "action": "Mirror", "schedule": {"every": "5m"}, "history": {"successful": 3},
        "removal": {"policy": "Deactivate", "set": {"active": "false"}, "restore": {"active": "true"}, "gracePeriod": "30d"},
        "source": {"waitFor": "{name}.done", "afterFailure": {"moveTo": "failed", "keep": null}},
    }));
    // A mapped column of `set` is set back by the file itself.
    job(json!({
        "action": "Mirror", "removal": {"policy": "Deactivate", "set": {"active": "false"}},
        "mapping": {"properties": [{"property": "active"}]},
    }));
}

#[test]
fn the_digest_covers_what_decides() {
    let digest = |patch: Value| job(patch).spec_digest;
    let usual = digest(json!({}));
    assert_eq!(usual.len(), 64);
    for same in [
        json!({"suspend": true}),
        json!({"schedule": {"every": "5m"}}),
        json!({"history": {"failed": 1}}),
        json!({"safeguards": {"maxRemovals": 3}}),
        json!({"source": {"sftp": {"host": "other.example.com"}, "files": "users.csv", "maxSize": "1Gi"}}),
        json!({"conflictMode": "Update", "action": "Upsert", "removal": {"policy": "Delete"}}),
        json!({"target": {"table": "users"}}),
    ] {
        assert_eq!(digest(same.clone()), usual, "{same}");
    }
    for other in [
        json!({"source": {"csv": {"trim": false}}}),
        json!({"mapping": {"filter": "true"}}),
        json!({"mapping": {"timeZone": "Europe/Paris"}}),
        json!({"conflictMode": "Skip"}),
        json!({"action": "Mirror"}),
        json!({"target": {"table": "people"}}),
        json!({"target": {"scope": {"org": "acme"}}}),
        json!({"target": {"protectedColumns": ["id"]}}),
    ] {
        assert_ne!(digest(other.clone()), usual, "{other}");
    }
    let order = |columns: Value| digest(json!({"target": {"protectedColumns": columns}}));
    assert_eq!(order(json!(["a", "b"])), order(json!(["b", "a"])));
}

#[test]
fn what_weakens_is_a_warning() {
    let off = json!({"safeguards": {"maxRemovals": "100%", "maxEmptied": "100%", "maxRejected": "100%", "minRows": 0}});
    assert_eq!(job(off).warnings.len(), 4);
    let delete = json!({"action": "Delete", "source": {"files": "leavers_*.csv"}});
    assert_eq!(job(delete).warnings, ["action: Delete writes no property: mapping.properties is only checked"]);
    let secrets = Fixed::usual().with("users-db", &[("url", "postgres://u:s3cret@db/users?sslmode=disable")]);
    assert_eq!(
        job_with(json!({}), &secrets).unwrap().warnings,
        ["target.url has sslmode=disable: the connection to the database may be read on the way"]
    );
    let secrets = Fixed::usual().with("users-db", &[("url", "mariadb://u:s3cret@db/users?ssl-mode=REQUIRED")]);
    assert_eq!(
        job_with(json!({}), &secrets).unwrap().warnings,
        ["target.url has ssl-mode=REQUIRED: the connection to the database may be answered by another server"]
    );
}

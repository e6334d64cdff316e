//! Manifests that are wrong end with 2, with every problem said, and nothing runs.

use super::world::{THREE, World, hr, named};

fn refused(changes: &[&str], words: &[&str]) {
    let world = World::new(changes);
    world.drop_file(THREE);
    for command in ["run", "check"] {
        let ran = world.usersync(&[command, "-f", "hr.yaml"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{command} {changes:?}: {ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{command}: {word:?} is not in {}", ran.stderr);
        }
        assert!(ran.stderr.starts_with("hr.yaml:"), "{}", ran.stderr);
    }
    assert!(!world.exists(".usersync"), "nothing ran");
}

#[test]
fn unknown_fields_are_named_with_the_nearest_known_one() {
    refused(&["conflictmode: Update"], &["conflictmode", "conflictMode"]);
    refused(&["safeguards: {maxRemoval: 3}"], &["maxRemoval", "maxRemovals"]);
    refused(&["source: {directory: {path: inbox, folder: x}}"], &["folder"]);
    refused(&["action: Mirrored"], &["action", "Mirror"]);
}

#[test]
fn what_is_not_built_yet_is_refused() {
    refused(&["source: {dropBox: {credentials: {name: x}}}"], &["dropBox"]);
}

#[test]
fn what_a_file_has_not_is_refused() {
    refused(&["target: {caBundle: {configMapKeyRef: {name: ca, key: ca.crt}}}"], &["caBundle", "SQLite"]);
    refused(&["target: {ledgerSchema: sync}"], &["ledgerSchema", "SQLite"]);
}

#[test]
fn rules_across_fields_and_syncs() {
    refused(
        &["source: {directory: {path: inbox}, sftp: {host: h, hostKeys: [], credentials: {name: x}}}"],
        &["source"],
    );
    refused(&["action: Delete"], &["files"]);
    refused(&["schedule: {cron: '0 0 1 31 2 ?'}"], &["cron"]);
    refused(&["schedule: {daily: {at: '01:00'}, timeZone: Europe/Pari}"], &["timeZone"]);
    refused(&["removal: {policy: Deactivate}"], &["set"]);
    refused(&["target: {protectedColumns: [name]}"], &["name", "protected"]);
    let world = World::new(&[]);
    world.write("hr.yaml", format!("{}---\n{}", hr(&[]), named("too", &["target: {table: two}"])));
    let ran = world.usersync(&["check", "-f", "hr.yaml"]);
    assert_eq!(ran.code, 2, "two syncs that take the same files: {ran:?}");
}

#[test]
fn every_problem_at_once() {
    let world = World::new(&["actoin: Mirror", "safeguards: {minRows: -1}", "conflictMode: Merge"]);
    let ran = world.usersync(&["check", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    world.golden("check-problems.txt", &ran.stderr);
    let fine = World::new(&[]).usersync(&["check", "-f", "hr.yaml"]);
    assert_eq!((fine.code, fine.stdout.as_str(), fine.stderr.as_str()), (0, "hr: valid\n", ""));
}

#[test]
fn one_bad_manifest_of_two_lets_nothing_run() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    world.write("bad.yaml", "apiVersion: usersync.dev/v1alpha1\nkind: UserSync\nmetadata: {name: bad}\nspec: [\n");
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-f", "bad.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains("bad.yaml:"), "{}", ran.stderr);
    assert!(!world.exists(".usersync"));
}

#[test]
fn secrets_come_from_documents_and_folders() {
    let world = World::new(&["target: {url: {secretKeyRef: {name: users-db, key: url}}}"]);
    world.sql("people.db", "create table users (id text primary key, name text, mail text)");
    world.drop_file(THREE);
    let ran = world.usersync(&["run", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains("users-db") && ran.stderr.contains("hr.yaml:"), "{}", ran.stderr);
    world.write("secrets/users-db/other", "x");
    let ran = world.usersync(&["run", "-f", "hr.yaml", "--secrets", "secrets"]);
    assert_eq!(ran.code, 2, "the key is missing: {ran:?}");
    world.write("secrets/users-db/url", "sqlite:people.db\n");
    let ran = world.usersync(&["run", "-f", "hr.yaml", "--secrets", "secrets"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(world.query("people.db", "select id from users"), ["E1", "E2", "E3"]);

    let inline = "apiVersion: v1\nkind: Secret\nmetadata: {name: users-db}\nstringData: {url: 'sqlite:people.db'}\n";
    world.write("secret.yaml", inline);
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-f", "secret.yaml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let check = world.usersync(&["check", "-f", "hr.yaml"]);
    assert_eq!(check.code, 0, "check needs no Secrets: {check:?}");
}

#[test]
fn a_secret_of_another_namespace_is_not_read() {
    let world = World::new(&["target: {url: {secretKeyRef: {name: users-db, key: url}}}"]);
    let theirs = "apiVersion: v1\nkind: Secret\nmetadata: {name: users-db, namespace: theirs}\nstringData: {url: 'sqlite:people.db'}\n";
    world.write("secret.yaml", theirs);
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-f", "secret.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
}

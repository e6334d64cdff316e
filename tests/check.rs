//! Manifests and what is said of them: each file of `tests/fixtures/manifests/bad` with the text beside it. `UPDATE=1`
//! writes the texts anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use usersync::control::validate::{Checked, check, documents};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests").join(name)
}

fn manifests(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "no manifests in {name}");
    files
}

fn checked(file: &PathBuf) -> Checked {
    let name = file.file_name().unwrap().to_str().unwrap();
    check(&documents(name, &fs::read_to_string(file).unwrap()))
}

fn lines(checked: &Checked) -> String {
    checked.problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn good_manifests_have_no_problem() {
    for file in manifests("good") {
        let checked = checked(&file);
        assert_eq!(lines(&checked), "", "{}", file.display());
    }
}

#[test]
fn what_good_manifests_hold_is_there() {
    let checked = checked(&folder("good/whole.yaml"));
    let [sync] = checked.syncs.as_slice() else { panic!("{:?}", checked.syncs) };
    assert_eq!((sync.document.namespace(), sync.document.name()), ("people", "hr"));
    assert_eq!(sync.sync.spec.source.sftp.as_ref().unwrap().host_keys.len(), 2);
    let [secret] = checked.secrets.as_slice() else { panic!("{:?}", checked.secrets) };
    assert_eq!((&*secret.namespace, &*secret.name), ("people", "hr-sftp"));
    let values: Vec<(&str, &str)> = secret.values.iter().map(|(key, value)| (&**key, value.expose())).collect();
    assert_eq!(values, [("password", "secret"), ("username", "hr")]);
    let [map] = checked.config_maps.as_slice() else { panic!("{:?}", checked.config_maps) };
    assert_eq!(map.values["ca.crt"], "-----BEGIN CERTIFICATE-----\n");
}

#[test]
fn each_problem_is_said_with_its_place_and_a_way_out() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for file in manifests("bad") {
        let found = lines(&checked(&file));
        assert!(!found.is_empty(), "{} has no problem", file.display());
        let golden = file.with_extension("txt");
        if update {
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{}\n--- found\n{found}--- expected\n{expected}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_secret_is_ever_shown() {
    for file in manifests("bad") {
        let said = format!("{:?}", checked(&file).problems);
        for secret in ["hunter2", "12345", "ENC["] {
            assert!(!said.contains(secret), "{}: {said}", file.display());
        }
    }
}

#[test]
fn json_manifests_are_read_too() {
    let text = fs::read_to_string(folder("good/smallest.yaml")).unwrap();
    let value = documents("smallest.yaml", &text).remove(0).value;
    let json = serde_json::to_string_pretty(&value).unwrap().replace("  ", "\t");
    let checked = check(&documents("smallest.json", &json));
    assert_eq!((lines(&checked).as_str(), checked.syncs.len()), ("", 1));
}

/// Pieces of which a manifest could be made, and some of which none should be.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "apiVersion: usersync.dev/v1alpha1\n",
        "kind: UserSync\n",
        "kind: Secret\n",
        "metadata: {name: a}\n",
        "spec:\n",
        "  ",
        "\t",
        "- ",
        "source:\n",
        "sftp: ",
        "mapping: ",
        "userId: ",
        "{",
        "}",
        "[",
        "]",
        "'",
        "\"",
        "|\n",
        ">-\n",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!x ",
        "---\n",
        "...\n",
        "# c\n",
        ": ",
        ", ",
        "\n",
        "\\",
        "%YAML 1.1\n",
        "? ",
        "é",
        "\u{feff}",
        "0x",
        "1e9",
        ".nan",
        "column",
        "cron: ",
        "0 0 1 * * ?",
        "@",
    ];
    prop_oneof![4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}", 1 => any::<char>().prop_map(String::from)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(pieces in proptest::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        for document in documents("f.yaml", &text) {
            for problem in &document.problems {
                prop_assert!(problem.position.line >= 1 && problem.position.column >= 1);
                prop_assert!(problem.position.line <= text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 1, "{problem}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A valid manifest with some of it replaced.
    #[test]
    fn no_damage_makes_it_panic(
        at in 0usize..2_500, length in 0usize..40, pieces in proptest::collection::vec(piece(), 0..4)
    ) {
        let whole = fs::read_to_string(folder("good/whole.yaml")).unwrap();
        let mut chars: Vec<char> = whole.chars().collect();
        let at = at.min(chars.len());
        let end = (at + length).min(chars.len());
        chars.splice(at..end, pieces.concat().chars());
        let text: String = chars.into_iter().collect();
        let checked = check(&documents("f.yaml", &text));
        prop_assert!(checked.problems.iter().all(|problem| problem.position.line >= 1));
    }
}

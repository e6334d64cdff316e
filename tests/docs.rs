//! The pages tell the truth: generated parts are up to date, each YAML block is a valid manifest, each console block prints
//! what it shows, links lead somewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

#[path = "docs/blocks.rs"]
mod blocks;
#[path = "docs/generated.rs"]
mod generated;
#[path = "docs/messages.rs"]
mod messages;
#[path = "docs/reader.rs"]
mod reader;
mod support;

use blocks::{Block, blocks, commands, matches, pages};
use reader::Reader;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn generated_pages_are_up_to_date() {
    for (name, part) in generated::parts() {
        let path = root().join(name);
        let page = fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once(generated::BEGIN).unwrap_or_else(|| panic!("{name} has no generated part"));
        let (found, tail) = rest.split_once(generated::END).unwrap_or_else(|| panic!("{name}: no end of its part"));
        let part = format!("\n{}\n\n", part.trim());
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, format!("{head}{}{part}{}{tail}", generated::BEGIN, generated::END)).unwrap();
        } else {
            assert!(found == part, "{name} is not what the code says: UPDATE=1 cargo test --test docs, and commit");
        }
    }
}

#[test]
fn each_message_of_a_source_has_its_cause_and_cure() {
    let said = messages::said(&root().join("src/source"));
    let listed = messages::listed(&fs::read_to_string(root().join("docs/sources.md")).unwrap());
    assert!(said.len() > 50, "messages are not found in the code any more: {said:#?}");
    let missing: Vec<_> = said.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&said).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "docs/sources.md lacks {missing:#?}, and has what nobody says: {gone:#?}"
    );
}

#[test]
fn each_block_is_of_a_kind_that_is_checked() {
    for block in pages().iter().flat_map(|page| blocks(page)) {
        assert!(
            // What is Python, tests/mail runs.
            ["yaml", "console", "sql", "csv", "json", "sh", "text", "python"].contains(&block.language.as_str()),
            "{}: nothing checks a block of the kind {:?}",
            block.place,
            block.language
        );
    }
}

#[test]
fn what_is_shown_as_text_is_written_from_the_code() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let by_hand: String = text
            .split(generated::BEGIN)
            .map(|part| part.split_once(generated::END).map_or(part, |(_, by_hand)| by_hand))
            .collect();
        assert!(!by_hand.contains("```text"), "{}: nothing checks a text that was written by hand", page.display());
    }
}

#[test]
fn each_yaml_block_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    for block in of_kind("yaml") {
        let path = folder.path().join("manifest.yaml");
        fs::write(&path, whole_manifest(&block.text)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_usersync")).args(["check", "-f"]).arg(&path).output().unwrap();
        let all = lines(&output).join("\n");
        assert!(output.status.success(), "{}: {all}\n\n{}", block.place, whole_manifest(&block.text));
    }
}

/// A block without `apiVersion` shows parts of a spec; what it doesn't show is filled in. A Secret alone gets a sync beside it.
fn whole_manifest(block: &str) -> String {
    let mut base: serde_json::Value = serde_json::json!({
        "apiVersion": "usersync.dev/v1alpha1",
        "kind": "UserSync",
        "metadata": {"name": "page"},
        "spec": {
            "source": {"directory": {"path": "inbox"}, "files": "people_*.csv"},
            "mapping": {"userId": {"column": "employee_id"}, "properties": [{"property": "email"}]},
            "target": {},
        },
    });
    if block.contains("kind: UserSync") {
        return block.to_owned();
    }
    if block.contains("apiVersion:") {
        return format!("{block}\n---\n{base}");
    }
    let part: serde_json::Value = serde_yaml::from_str(block).expect("YAML");
    for (name, value) in part.as_object().expect("fields of a spec") {
        base["spec"][name] = value.clone();
    }
    base.to_string()
}

/// The commands of a page run one after the other in one copy of `examples/` and `charts/`, as somebody
/// would who reads it, with a cluster where the page shows one.
#[test]
fn each_console_block_prints_what_it_shows() {
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["examples", "charts"] {
            copy(&root().join(part), &folder.path().join(part));
        }
        let console: Vec<Block> = blocks(&page).into_iter().filter(|block| block.language == "console").collect();
        let reader = Reader::of(&console, folder.path());
        let mut code = 0;
        for block in &console {
            for (command, shown) in commands(block) {
                let output = shell(&command, code, folder.path(), reader.as_ref());
                let printed = lines(&output);
                assert!(
                    matches(&shown, &printed),
                    "{}: $ {command}\nshows:\n{}\n\nbut prints:\n{}\n",
                    block.place,
                    shown.join("\n"),
                    printed.join("\n")
                );
                code = output.status.code().unwrap();
            }
        }
    }
}

/// `usersync` and `cargo run --release --` are the binary under test; both outputs count; `$?` is of the command before.
fn shell(command: &str, code: i32, folder: &Path, reader: Option<&Reader>) -> Output {
    let command = command.replace("cargo run --release -- ", "usersync ");
    let binaries = Path::new(env!("CARGO_BIN_EXE_usersync")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec 2>&1; (exit {code}); {command}")]);
    shell.current_dir(folder).env("COLUMNS", "100").env("PATH", &path);
    if let Some(reader) = reader {
        reader.pauses();
        reader.equip(&mut shell, &path);
    }
    shell.output().unwrap()
}

/// Lines of standard output and standard error, blank ones at both ends left out.
fn lines(output: &Output) -> Vec<String> {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    text.trim_matches('\n').lines().map(str::to_owned).collect()
}

/// What a reader is expected to have.
const PROGRAMS: &[&str] =
    &["apt-get", "git", "cargo", "curl", "ssh-keyscan", "usersync", "kubectl", "helm", "docker", "sqlite3", "ln"];

#[test]
fn each_command_of_a_shell_block_exists() {
    for block in of_kind("sh") {
        for line in block.text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let program = line.split_whitespace().next().unwrap();
            let found = match program.contains('/') {
                true => root().join(program).is_file(),
                false => PROGRAMS.contains(&program),
            };
            assert!(found, "{}: there is no {program}", block.place);
        }
        let checked = Command::new("bash").args(["-n", "-c", &block.text]).status().unwrap();
        assert!(checked.success(), "{}: not a shell's language", block.place);
    }
}

#[test]
fn each_link_leads_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if !target.starts_with("http") && !target.starts_with('#') {
                let path: PathBuf = page.parent().unwrap().join(target.split('#').next().unwrap());
                assert!(path.exists(), "{}: no {target}", page.display());
            }
        }
    }
}

fn of_kind(language: &str) -> Vec<Block> {
    let all: Vec<Block> = pages().iter().flat_map(|page| blocks(page)).collect();
    let found: Vec<Block> = all.into_iter().filter(|block| block.language == language).collect();
    assert!(!found.is_empty(), "no {language} block");
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name == ".usersync" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

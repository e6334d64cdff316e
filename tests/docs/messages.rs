//! Every message of the sources has its line in docs/sources.md, and every line there is a message.

use std::{collections::BTreeSet, fs, path::Path};

use regex::Regex;

/// What the code says, up to the advice: `the login was refused`. `…` stands for what differs.
pub fn said(folder: &Path) -> BTreeSet<String> {
    // Comments and letters are passed over, as they may hold quotes.
    let literal = Regex::new(r#"//[^\n]*|'(?:\\[^']*|[^'\\])'|"((?:[^"\\]|\\[\s\S])*)""#).unwrap();
    let broken_line = Regex::new(r"\\\n\s*").unwrap();
    let placeholder = Regex::new(r"\{[^{}]*\}").unwrap();
    let mut found = BTreeSet::new();
    for path in sources(folder) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for literal in literal.captures_iter(code).filter_map(|found| found.get(1)) {
            let text = broken_line.replace_all(literal.as_str(), "");
            let text = placeholder.replace_all(&text, "…").replace("\\\"", "\"").replace('`', "'");
            found.extend(statement(&text));
        }
    }
    found
}

/// The first sentence of a message. None: it is a part of one, or nothing for people.
fn statement(text: &str) -> Option<String> {
    let message = text.strip_prefix("…: ").unwrap_or(text);
    let whole = message.contains(". ") || message.ends_with('.');
    let begins = message.chars().next().is_some_and(|first| first.is_lowercase() || "“\"".contains(first));
    let statement = message.split(". ").next()?.split(".… ").next()?.trim_end_matches('.').replace("……", "…");
    (whole && begins && statement.len() >= 12).then_some(statement)
}

/// The first cells of the tables of messages.
pub fn listed(page: &str) -> BTreeSet<String> {
    let tables = page.split("## What it says, and what to do").nth(1).unwrap();
    let cell = Regex::new(r"(?m)^\| `([^`]+)` \|").unwrap();
    cell.captures_iter(tables).map(|row| row[1].to_owned()).collect()
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}

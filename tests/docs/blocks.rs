//! The fenced blocks of the pages: where they are, and what a console block should print.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The page and the line of the opening fence: `docs/cli.md:12`.
    pub place: String,
    /// What stands behind the fence: `yaml`, `console`.
    pub language: String,
    /// What stands in it.
    pub text: String,
}

/// `README.md`, everything in `docs/`, and the page of each example.
pub fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = |folder: &str| fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> =
        entries("docs").chain(entries("examples").map(|example| example.join("README.md"))).collect();
    pages.retain(|path| path.extension().is_some_and(|e| e == "md"));
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

/// All blocks of a page, in order.
pub fn blocks(page: &Path) -> Vec<Block> {
    let name = page.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
    let text = fs::read_to_string(page).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                let place = format!("{name}:{}", number + 1);
                found.push(Block { place, language: language.to_owned(), text: String::new() });
                open = true;
            }
            None if open => {
                let block = found.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!open, "{name}: a block is not closed");
    found
}

/// The commands of a console block, each with the lines that it should print.
pub fn commands(block: &Block) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, output))) => output.push(line.to_owned()),
            (None, None) => panic!("{}: begins without a command", block.place),
        }
    }
    commands
}

/// Whether a text is as the page shows it. There, a line `…` stands for any number of lines, `…` in a line for any text, and
/// seconds (`0.42 s`) for any others.
pub fn matches(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| line_matches(line, first) && matches(rest, others))
        }
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (without_seconds(shown), without_seconds(printed));
    let parts: Vec<&str> = shown.split('…').collect();
    let [first, between @ .., last] = parts.as_slice() else { return shown.trim_end() == printed.trim_end() };
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    for part in between {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.trim_end().ends_with(last.trim_end())
}

/// `took 0.42 s` and `took 1.3 s` are the same.
fn without_seconds(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    for at in 1..words.len() {
        if words[at] == "s" && words[at - 1].parse::<f64>().is_ok() {
            words[at - 1] = "0";
        }
    }
    words.join(" ")
}

#[test]
fn what_a_page_shows_is_compared_with_care() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (shown, printed, same) in [
        ("a\nb", "a\nb", true),
        ("a\nb", "a", false),
        ("a", "a\nb", false),
        ("a\n…\nd", "a\nb\nc\nd", true),
        ("a\n…\nd", "a\nd", true),
        ("a\n…\nd", "a\nb\nc", false),
        ("run hr-… done", "run hr-0123 done", true),
        ("run hr-… done", "run xy-0123 done", false),
        ("run …/…/x", "run a/b/y", false),
        ("took 0.42 s", "took 1.3 s", true),
        ("12 added", "13 added", false),
    ] {
        assert_eq!(matches(&lines(shown), &lines(printed)), same, "{shown:?} {printed:?}");
    }
}

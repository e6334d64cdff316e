//! A letter's blocks as text that reads well in a fixed width and in none.

use super::{
    blocks::{Block, Count, Span, Words},
    shown::{Shown, isolated},
    text::{number, visible, visible_lines},
};
use crate::model::report::SampleChange;

/// Lines of sentences are broken here.
const WIDTH: usize = 76;

/// The title and the blocks, each line with its LF.
pub(super) fn plain(title: &str, blocks: &[Block], end: &str) -> String {
    let mut text = String::new();
    wrapped(&mut text, "", "", &visible(title));
    let underline = title.chars().count().min(WIDTH);
    text += &"=".repeat(underline);
    text.push('\n');
    for block in blocks {
        text.push('\n');
        one(&mut text, block);
    }
    text += "\n-- \n";
    wrapped(&mut text, "", "", end);
    text
}

fn one(text: &mut String, block: &Block) {
    match block {
        Block::Heading(heading) => {
            text.push_str(heading);
            text.push('\n');
            text.push_str(&"-".repeat(heading.chars().count()));
            text.push('\n');
        }
        Block::Para(words) | Block::Notice(words) | Block::Faint(words) => wrapped(text, "", "", &joined(words)),
        Block::List(points) => points.iter().for_each(|point| wrapped(text, "- ", "  ", &joined(point))),
        Block::Steps(steps) => {
            for (index, step) in steps.iter().enumerate() {
                wrapped(text, &format!("{}. ", index + 1), "   ", &joined(step));
            }
        }
        Block::Command(command) => {
            text.push_str("    ");
            text.push_str(&visible(command));
            text.push('\n');
        }
        Block::Facts(facts) => {
            let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
            for (name, words) in facts {
                wrapped(text, &format!("{name:width$}  "), &" ".repeat(width + 2), &joined(words));
            }
        }
        Block::Counts(counts) => self::counts(text, counts),
        Block::Changes(changes) => changes.iter().for_each(|change| self::change(text, change)),
    }
}

fn counts(text: &mut String, counts: &[Count]) {
    let names = counts.iter().map(|count| count.name.len()).max().unwrap_or_default();
    let numbers = counts.iter().map(|count| number(count.n).len()).max().unwrap_or_default();
    for count in counts {
        text.push_str(&format!("{:names$}  {:>numbers$}\n", count.name, number(count.n)));
    }
}

fn change(text: &mut String, change: &SampleChange) {
    let shown = Shown::of(change);
    let line = shown.line.map(|line| format!("  {line}")).unwrap_or_default();
    text.push_str(&format!("{:7}  {}{line}\n", shown.action, isolated(&shown.user)));
    let width = shown.properties.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
    for (name, old, new) in &shown.properties {
        text.push_str(&format!("         {name:width$}  {} → {}\n", isolated(old), isolated(new)));
    }
    if let Some(more) = shown.more {
        text.push_str(&format!("         {more}\n"));
    }
}

/// The words in a row.
fn joined(words: &Words) -> String {
    let mut text = String::new();
    for span in &words.0 {
        match span {
            // What ours quotes is a stranger's.
            Span::Text(ours) | Span::Strong(ours) => text.push_str(&visible_lines(ours)),
            Span::Value(value) => text.push_str(&isolated(&visible(value))),
            Span::Code(code) => text.push_str(&visible(code)),
        }
    }
    text
}

/// Adds a paragraph, broken at blanks. A word longer than a line has one of its own: a path or a command is not cut.
fn wrapped(text: &mut String, first: &str, others: &str, words: &str) {
    let (mut indent, mut width) = (first, 0);
    for line in words.trim_end().lines() {
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let long = word.chars().count();
            if width > 0 && width + 1 + long > WIDTH {
                text.push('\n');
                width = 0;
            }
            if width == 0 {
                text.push_str(indent);
                width = indent.chars().count();
                indent = others;
            } else {
                text.push(' ');
                width += 1;
            }
            text.push_str(word);
            width += long;
        }
        text.push('\n');
        width = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_and_paths_are_not() {
        let mut text = String::new();
        wrapped(&mut text, "- ", "  ", &format!("{} {}", "word ".repeat(20), "x".repeat(100)));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("- word") && lines[1].starts_with("  word"), "{text}");
        assert_eq!(lines[2].trim_start().len(), 100);
        assert!(lines[..2].iter().all(|line| line.chars().count() <= WIDTH + 1), "{text}");
    }

    #[test]
    fn a_value_writes_no_line_of_ours() {
        let words = Words::new("The file ").value("a\nhr: fine\u{202e}").text(" is imported.");
        let mut text = String::new();
        wrapped(&mut text, "", "", &joined(&words));
        assert_eq!(text, "The file a\\nhr: fine\\u{202e} is imported.\n");
    }
}

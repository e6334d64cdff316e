//! Colour for the terminal: never needed to understand the text.

use std::{ffi::OsString, io::IsTerminal};

use crate::{
    model::reason::Verdict,
    sync::render::summary::{Line, Tone, plain},
};

/// Whether an output gets colour: only a terminal, and not if `NO_COLOR` is set to something (<https://no-color.org>) or
/// `TERM` is `dumb`.
pub fn colour_on(output: &impl IsTerminal) -> bool {
    colour(output.is_terminal(), |name| std::env::var_os(name))
}

fn colour(terminal: bool, env: impl Fn(&str) -> Option<OsString>) -> bool {
    terminal && env("NO_COLOR").is_none_or(|v| v.is_empty()) && env("TERM").is_none_or(|t| t != "dumb")
}

/// The lines as text, with colour or without.
pub fn styled(lines: &[Line], colour: bool) -> String {
    if !colour {
        return plain(lines);
    }
    let mut out = String::new();
    for line in lines {
        match sgr(line.tone) {
            Some(code) => out.extend(["\x1b[", code, "m", &line.text, "\x1b[0m\n"]),
            None => out.extend([&line.text, "\n"]),
        }
    }
    out
}

/// ECMA-48 "select graphic rendition": the eight colours that every theme adapts.
const fn sgr(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Verdict(Verdict::Completed) => Some("1;32"),
        Tone::Verdict(Verdict::Rejects | Verdict::Held) => Some("1;33"),
        Tone::Verdict(Verdict::Failed) => Some("1;31"),
        Tone::Heading => Some("1"),
        Tone::Warning => Some("33"),
        Tone::Faint => Some("2"),
        Tone::Plain => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        for (terminal, no_color, term, want) in [
            (true, None, Some("xterm"), true),
            (true, None, None, true),
            (true, Some(""), Some("xterm"), true),
            (true, Some("1"), Some("xterm"), false),
            (true, None, Some("dumb"), false),
            (false, None, Some("xterm"), false),
        ] {
            let env = |name: &str| if name == "TERM" { term } else { no_color }.map(OsString::from);
            assert_eq!(colour(terminal, env), want);
        }
    }

    #[test]
    fn the_text_is_the_same_without_the_colour() {
        let line = |tone, text: &str| Line { tone, text: text.into() };
        let lines = [line(Tone::Verdict(Verdict::Failed), "hr FAILED: x"), line(Tone::Plain, "  y")];
        assert_eq!(styled(&lines, false), "hr FAILED: x\n  y\n");
        assert_eq!(styled(&lines, true), "\x1b[1;31mhr FAILED: x\x1b[0m\n  y\n");
    }
}

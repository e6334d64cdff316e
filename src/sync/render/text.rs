//! Numbers, sizes, durations and strangers' values as people read them.

use std::fmt::Write;

/// `1,234,567`
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `17 bytes`, `1.4 KiB`, `145 MiB`
pub fn bytes(n: u64) -> String {
    if n < 1024 {
        return if n == 1 { "1 byte".into() } else { format!("{} bytes", number(n)) };
    }
    let (mut size, mut unit) = (n as f64 / 1024.0, "KiB");
    for larger in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        // What would print as 1024 is one of the next unit.
        if size < 1023.5 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if size < 9.95 { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") }
}

/// Seconds as `0.42 s`, `12.3 s`, `3 min 5 s`, `2 h 0 min`
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..=9 => format!("{:.2} s", seconds.max(0.0)),
        10..=59 => format!("{seconds:.1} s"),
        60..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", number(whole / 3600), whole % 3600 / 60),
    }
}

/// The text with everything in it made visible that could move a cursor, start an escape sequence, turn the direction
/// of writing or hide: `\n`, `\t`, `\u{1b}`, `\u{202e}`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if c.is_control() || hides(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Format characters that show nothing themselves and change how others show: Unicode's bidirectional controls, zero
/// width characters, line and paragraph separators, tags. The joiners that some scripts need inside words stay.
fn hides(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// The text as a name that any machine takes for a file's: what [`visible`] would show by an escape becomes `_`.
pub fn harmless(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || hides(c) || matches!(c, '/' | '\\') { '_' } else { c }).collect()
}

/// As [`visible`], and cut at `max` characters.
pub fn visible_cut(text: &str, max: usize) -> String {
    // Escapes take many characters for one: the text is cut before, and counted as it was.
    let mut out: String = visible(&text.chars().take(max).collect::<String>());
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

/// Our own text of perhaps several lines, each as [`visible`].
pub fn visible_lines(text: &str) -> String {
    text.split('\n').map(|line| visible(line.strip_suffix('\r').unwrap_or(line))).collect::<Vec<_>>().join("\n")
}

/// Our own text of perhaps several lines: each as [`visible`], later ones indented, so that none can pass for a line of
/// ours.
pub fn paragraph(text: &str, indent: usize) -> String {
    let mut out = String::new();
    for (index, line) in text.trim_end().lines().enumerate() {
        if index > 0 {
            let _ = write!(out, "\n{:indent$}", "");
        }
        out += &visible(line);
    }
    out
}

/// A sentence as it begins: with a capital letter.
pub fn capital(text: &str) -> String {
    first(text, |letter| letter.to_uppercase().collect())
}

/// A sentence as it goes on behind a colon.
pub fn lower(text: &str) -> String {
    first(text, |letter| letter.to_lowercase().collect())
}

fn first(text: &str, change: impl Fn(char) -> String) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| change(first) + letters.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (n, want) in [(0, "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), want);
        }
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn sentences_begin_and_go_on() {
        assert_eq!([capital("éa B"), capital(""), lower("The text")], ["Éa B", "", "the text"]);
    }

    #[test]
    fn sizes_have_units() {
        for (n, want) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1,023 bytes"),
            (1024, "1.0 KiB"),
            (1434, "1.4 KiB"),
            (10_189, "10 KiB"),
            (1_048_575, "1.0 MiB"),
            (152_043_520, "145 MiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(bytes(n), want);
        }
    }

    #[test]
    fn durations() {
        for (s, want) in [
            (0.0, "0.00 s"),
            (-1.0, "0.00 s"),
            (0.424, "0.42 s"),
            (9.6, "9.6 s"),
            (12.34, "12.3 s"),
            (59.4, "59.4 s"),
            (59.6, "1 min 0 s"),
            (185.0, "3 min 5 s"),
            (7260.0, "2 h 1 min"),
        ] {
            assert_eq!(duration(s), want);
        }
    }

    #[test]
    fn hostile_text_is_made_visible() {
        for (text, want) in [
            ("Ann Müller", "Ann Müller"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b\u{200b}", "a\\u{202e}b\\u{200b}"),
            ("नि\u{200d}", "नि\u{200d}"),
            ("DOMAIN\\ann", "DOMAIN\\ann"),
        ] {
            assert_eq!(visible(text), want);
        }
        assert_eq!(visible_cut("abcdef", 6), "abcdef");
        assert_eq!(visible_cut("abcdefg", 6), "abcdef…");
        assert_eq!(visible_cut("\u{1b}bc", 1), "\\u{1b}…");
        assert_eq!(paragraph("a\nhr: fine\u{7}\r\n", 4), "a\n    hr: fine\\u{7}");
    }
}

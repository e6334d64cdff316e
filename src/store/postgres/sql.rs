//! Text of SQL: names, literals, and the text form of `copy`.

use std::fmt::Write as _;

pub use crate::sync::names::quoted as quote;

/// Text as a literal; `standard_conforming_strings` is on in our sessions.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Adds a cell of `copy … from stdin` in text form, without what separates it (PostgreSQL manual, `COPY`).
pub fn copy_cell(out: &mut String, cell: Option<&str>) {
    let Some(text) = cell else {
        out.push_str("\\N");
        return;
    };
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\t' => "\\t",
            b'\n' => "\\n",
            _ => "\\r",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// Adds a row of `copy … from stdin`, the number `place` first if there is one.
pub fn copy_row<'a>(out: &mut String, place: Option<usize>, cells: impl Iterator<Item = Option<&'a str>>) {
    let mut first = true;
    if let Some(place) = place {
        // Writing to a String can't fail.
        let _ = write!(out, "{place}");
        first = false;
    }
    for cell in cells {
        if !first {
            out.push('\t');
        }
        first = false;
        copy_cell(out, cell);
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_are_quoted() {
        assert_eq!(quote(r#"we"ird Name"#), r#""we""ird Name""#);
        assert_eq!(literal(r"o'neil\"), r"'o''neil\'");
    }

    #[test]
    fn cells_are_escaped() {
        let mut out = String::new();
        copy_row(&mut out, Some(7), [Some("a\tb\\N\r\nü"), None, Some(""), Some("\\.")].into_iter());
        assert_eq!(out, "7\ta\\tb\\\\N\\r\\nü\t\\N\t\t\\\\.\n");
        let mut out = String::new();
        copy_row(&mut out, None, [None].into_iter());
        assert_eq!(out, "\\N\n");
    }
}

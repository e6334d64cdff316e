//! Lists of texts, as PostgreSQL writes them (manual, "Array Input and Output Syntax"): one dimension.

use std::borrow::Cow;

use super::{ValueError, text};
use crate::model::reject::RejectCode;

/// The canonical text: `{a,"b c",NULL}`, with quotes where PostgreSQL prints some. Read are its form and JSON's (`["a","b c",null]`).
pub(super) fn array(written: &str, max: Option<u32>) -> Result<Cow<'_, str>, ValueError> {
    let elements = if written.starts_with('[') { json(written) } else { elements(written) };
    let elements = elements.ok_or_else(|| {
        ValueError::new(
            RejectCode::InvalidArray,
            "not a list of texts: write {red,\"dark green\"} or [\"red\",\"dark green\"]",
        )
    })?;
    let mut canonical = String::with_capacity(written.len() + 2);
    canonical.push('{');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            canonical.push(',');
        }
        match element {
            None => canonical.push_str("NULL"),
            Some(element) => push(&mut canonical, &text::text(element, max, false)?),
        }
    }
    canonical.push('}');
    Ok(if canonical == written { Cow::Borrowed(written) } else { Cow::Owned(canonical) })
}

fn json(written: &str) -> Option<Vec<Option<String>>> {
    serde_json::from_str(written).ok()
}

/// Adds an element, in quotes where it would be read otherwise without.
fn push(out: &mut String, element: &str) {
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',') || blank(c);
    if !element.is_empty() && !element.eq_ignore_ascii_case("null") && !element.contains(special) {
        out.push_str(element);
        return;
    }
    out.push('"');
    for c in element.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// The elements; None where it is no list of one dimension.
fn elements(written: &str) -> Option<Vec<Option<String>>> {
    let mut rest = written.strip_prefix('{')?.strip_suffix('}')?.chars().peekable();
    let mut elements = Vec::new();
    loop {
        while rest.next_if(|c| blank(*c)).is_some() {}
        let (mut element, mut quoted) = (String::new(), false);
        // Blanks behind an element mean nothing, unless they are escaped.
        let mut meant = 0;
        while let Some(c) = rest.next_if(|c| *c != ',') {
            match c {
                '"' if !quoted && element.is_empty() => {
                    quoted = true;
                    loop {
                        match rest.next()? {
                            '"' => break,
                            '\\' => element.push(rest.next()?),
                            other => element.push(other),
                        }
                    }
                    meant = element.len();
                }
                c if blank(c) => element.push(c),
                // Text before or behind quotes, and lists of lists.
                _ if quoted => return None,
                '"' | '{' | '}' => return None,
                '\\' => {
                    element.push(rest.next()?);
                    meant = element.len();
                }
                other => {
                    element.push(other);
                    meant = element.len();
                }
            }
        }
        element.truncate(meant);
        let last = rest.next().is_none();
        match (quoted, element) {
            (false, element) if element.is_empty() => return (last && elements.is_empty()).then_some(elements),
            (false, element) if element.eq_ignore_ascii_case("null") => elements.push(None),
            (_, element) => elements.push(Some(element)),
        }
        if last {
            return Some(elements);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_one_text() {
        for (written, expected) in [
            ("{}", Ok("{}")),
            ("{ }", Ok("{}")),
            ("[]", Ok("{}")),
            ("{a,b}", Ok("{a,b}")),
            ("{ a , b c }", Ok("{a,\"b c\"}")),
            ("{\"a\",\"b c\"}", Ok("{a,\"b c\"}")),
            ("[\"a\", \"b c\", null]", Ok("{a,\"b c\",NULL}")),
            ("{NULL,\"null\",\"\"}", Ok("{NULL,\"null\",\"\"}")),
            (r#"{"a\"b","c\\d",e\ f}"#, Ok(r#"{"a\"b","c\\d","e f"}"#)),
            ("{ü,\"x,y\",\"{z}\"}", Ok("{ü,\"x,y\",\"{z}\"}")),
            ("{\"a\" }", Ok("{a}")),
            ("{\"\"}", Ok("{\"\"}")),
            ("a,b", Err(RejectCode::InvalidArray)),
            ("{a,}", Err(RejectCode::InvalidArray)),
            ("{,a}", Err(RejectCode::InvalidArray)),
            ("{{a},{b}}", Err(RejectCode::InvalidArray)),
            ("{\"a\"b}", Err(RejectCode::InvalidArray)),
            ("{a\"b\"}", Err(RejectCode::InvalidArray)),
            ("{\"a}", Err(RejectCode::InvalidArray)),
            ("{a", Err(RejectCode::InvalidArray)),
            ("[1]", Err(RejectCode::InvalidArray)),
            ("", Err(RejectCode::InvalidArray)),
            ("{abcdef}", Err(RejectCode::TooLong)),
        ] {
            let found = array(written, Some(5));
            assert_eq!(found.as_deref().map_err(|e| e.code), expected, "{written}");
            if let Ok(found) = found {
                assert!(matches!(array(&found, Some(5)), Ok(Cow::Borrowed(_))), "{written}: {found} is canonical");
            }
        }
    }
}

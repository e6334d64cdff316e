//! JSON by value: no blanks, keys sorted, numbers in full. Not through floating point, which would lose digits.

use std::{borrow::Cow, collections::BTreeMap};

use super::{ValueError, number::json_number};
use crate::model::reject::RejectCode;

/// Deeper nesting is refused, so that no text exhausts the stack.
const DEPTH: u32 = 128;

/// The canonical text. Of several equal keys the last counts, as in PostgreSQL's `jsonb`.
pub(super) fn json(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let mut reader = Reader { text, at: 0 };
    let canonical = reader.value(0).and_then(|value| {
        reader.blanks();
        (reader.at == text.len()).then_some(value)
    });
    match canonical {
        Some(value) if value == text => Ok(Cow::Borrowed(text)),
        Some(value) => Ok(Cow::Owned(value)),
        None => {
            let place = text[..reader.at.min(text.len())].chars().count() + 1;
            Err(ValueError::new(RejectCode::InvalidJson, format!("not JSON: unexpected text at character {place}")))
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Steps over `byte`, with blanks before it.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: u32) -> Option<String> {
        if depth > DEPTH {
            return None;
        }
        self.blanks();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Option<String> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            word.to_owned()
        })
    }

    fn object(&mut self, depth: u32) -> Option<String> {
        self.take(b'{')?;
        let mut members = BTreeMap::new();
        if self.take(b'}').is_some() {
            return Some("{}".to_owned());
        }
        loop {
            self.blanks();
            let key = self.string()?;
            self.take(b':')?;
            members.insert(key, self.value(depth + 1)?);
            if self.take(b',').is_none() {
                self.take(b'}')?;
                break;
            }
        }
        let members: Vec<String> = members.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
        Some(format!("{{{}}}", members.join(",")))
    }

    fn array(&mut self, depth: u32) -> Option<String> {
        self.take(b'[')?;
        let mut elements = Vec::new();
        if self.take(b']').is_some() {
            return Some("[]".to_owned());
        }
        loop {
            elements.push(self.value(depth + 1)?);
            if self.take(b',').is_none() {
                self.take(b']')?;
                break;
            }
        }
        Some(format!("[{}]", elements.join(",")))
    }

    /// A string in its shortest escapes, quotes included.
    fn string(&mut self) -> Option<String> {
        if self.peek()? != b'"' {
            return None;
        }
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let plain: String = serde_json::from_str(self.text.get(self.at..=end)?).ok()?;
        self.at = end + 1;
        serde_json::to_string(&plain).ok()
    }

    /// RFC 8259, section 6: no leading zeros, no bare point.
    fn number(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let number = &rest[..length];
        // Its grammar without its precision.
        serde_json::from_str::<serde::de::IgnoredAny>(number).ok()?;
        let canonical = json_number(number)?;
        self.at += length;
        Some(canonical)
    }
}

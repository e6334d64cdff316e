//! When two match keys are the same to the server: what its collation takes for equal (letters of other case, with or without
//! accent, blanks at the end) has one form here. The server is asked for the weights that it compares by; those of plain ASCII
//! are learnt once, so that few keys need a question.

use std::fmt::Write as _;

use super::{
    columns::Described,
    session::{Session, text},
    sql::{literal, push_literal},
};
use crate::{
    model::{
        column::{Case, ColumnType},
        rows::Rows,
    },
    ports::StoreError,
};

/// Keys in one question: as many as fit into about this many bytes.
const QUESTION: usize = 1 << 18;

/// Keys in one question, at most.
const KEYS: usize = 2_000;

/// Characters that a key is padded to, to compare blanks at its end, where its column has no length.
const LONG: u32 = 768;

/// Parts of the names of collations whose weights are not what MariaDB 10.11 compares by, as trying all of them has shown.
const UNSAID: &[&str] = &["_nopad_ai_cs", "big5_chinese", "cp1250_czech"];

/// The printable characters of ASCII.
const PLAIN: std::ops::RangeInclusive<u8> = b' '..=b'~';

/// How one column compares.
pub struct Collation {
    /// Character set and name.
    set: String,
    name: String,
    /// Blanks at the end mean nothing.
    padded: bool,
    /// Characters that a column holds.
    length: u32,
    /// Characters compare as they are.
    binary: bool,
    /// By printable ASCII character: its weight in hexadecimal. None: it has none of its own, ask.
    weights: Vec<Option<String>>,
    /// A blank's weight, where weights stand one behind the other.
    blank: Option<String>,
}

impl Collation {
    /// Learns how a column compares. None where it compares text as it is.
    pub async fn learn(session: &mut Session, column: &Described) -> Result<Option<Self>, StoreError> {
        let (ColumnType::Text { case: Case::Collation, max, .. }, Some((set, name))) =
            (&column.column.kind, &column.collation)
        else {
            return Ok(None);
        };
        if let Some(part) = UNSAID.iter().find(|part| name.contains(**part)) {
            return Err(StoreError::Invalid(format!(
                "{}: column {} has the collation {name}: of those with {part} in their name the server does not say truly \
                 which texts are equal. Give the column another one, such as utf8mb4_unicode_ci",
                session.line.name, column.column.name
            )));
        }
        let (set, name, length) = (set.clone(), name.clone(), max.unwrap_or(LONG).clamp(1, LONG));
        let binary = name.ends_with("_bin");
        let mut collation = Self { set, name, padded: false, length, binary, weights: Vec::new(), blank: None };
        let sql = format!("select {} = {}", collation.text("a"), collation.text("a "));
        let row = session.row("learn how keys compare", "", &sql).await?;
        collation.padded = row.as_ref().and_then(|row| text(row, 0)) == Some("1");
        if !binary {
            collation.learn_plain(session).await?;
        }
        Ok(Some(collation))
    }

    /// Learns the weights of plain ASCII: those of single characters that stay the same in any pair, where there are such.
    async fn learn_plain(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let single: Vec<String> = PLAIN.map(|byte| char::from(byte).to_string()).collect();
        let pairs: Vec<String> = single.iter().flat_map(|a| single.iter().map(move |b| format!("{a}{b}"))).collect();
        let single = self.weigh(session, &single.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let pairs = self.weigh(session, &pairs.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let count = single.len();
        let mut plain = vec![true; count];
        let mut contracted = 0;
        for (at, pair) in pairs.iter().enumerate() {
            let (a, b) = (at / count, at % count);
            let (Some(first), Some(second)) = (&single[a], &single[b]) else { continue };
            if pair.as_deref() != Some(&format!("{first}{second}")) {
                (plain[a], plain[b]) = (false, false);
                contracted += 1;
            }
        }
        // Weights of several levels stand level by level, and no character has one of its own.
        if contracted * 2 > pairs.len() {
            plain.fill(false);
        } else {
            self.blank = single[0].clone();
        }
        self.weights = single.into_iter().zip(plain).map(|(weight, plain)| weight.filter(|_| plain)).collect();
        Ok(())
    }

    /// The forms of keys (rows of one cell): equal where the server takes the keys for equal.
    pub async fn forms(&self, session: &mut Session, keys: &Rows) -> Result<Rows, StoreError> {
        let mut known: Vec<Option<String>> =
            keys.iter().map(|row| row.get(0).and_then(|key| self.plain(key))).collect();
        let odd: Vec<usize> =
            (0..keys.len()).filter(|&at| known[at].is_none() && keys.row(at).get(0).is_some()).collect();
        let texts: Vec<&str> = odd.iter().map(|&at| keys.row(at).get(0).unwrap_or_default()).collect();
        let weights = self.weigh(session, &texts).await?;
        for (at, weight) in odd.into_iter().zip(weights) {
            // What the column's character set can't say is equal to nothing in the table.
            let form = weight.map_or_else(|| format!("={}", keys.row(at).get(0).unwrap_or_default()), |w| self.tidy(w));
            known[at] = Some(form);
        }
        let mut forms = Rows::new(1);
        known.iter().for_each(|form| forms.push(form.as_deref()));
        Ok(forms)
    }

    /// The form of a key of plain characters alone.
    fn plain(&self, key: &str) -> Option<String> {
        if self.binary {
            return Some(if self.padded { key.trim_end_matches(' ') } else { key }.to_owned());
        }
        // Without a weight of its own for a blank, no character has one.
        self.blank.as_ref()?;
        let mut form = String::with_capacity(key.len() * 4);
        for byte in key.bytes() {
            form.push_str(self.weights.get(usize::from(byte.checked_sub(b' ')?))?.as_deref()?);
        }
        Some(self.tidy(form))
    }

    /// The weights without those that mean nothing at the end.
    fn tidy(&self, mut weights: String) -> String {
        if let (true, Some(blank)) = (self.padded, self.blank.as_deref().filter(|blank| !blank.is_empty())) {
            while weights.len().is_multiple_of(blank.len()) && weights.ends_with(blank) {
                weights.truncate(weights.len() - blank.len());
            }
        }
        weights
    }

    /// A text in the column's character set and collation.
    fn text(&self, text: &str) -> String {
        format!("convert({} using {}) collate {}", literal(text), self.set, self.name)
    }

    /// What the server weighs these texts by, in hexadecimal; None for a text that the character set can't say. Where
    /// weights have several levels, the text is padded, so that blanks at its end weigh the same in all.
    async fn weigh(&self, session: &mut Session, texts: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let cast = match (self.padded, &self.blank, self.weights.is_empty()) {
            (true, None, false) => format!(" as char({})", self.length),
            _ => String::new(),
        };
        let mut weights = Vec::new();
        while weights.len() < texts.len() {
            // One long row: the weights (`-` for none) with a comma between them.
            let mut sql = "select concat_ws(','".to_owned();
            let mut asked = 0;
            while sql.len() < QUESTION && asked < KEYS {
                let Some(text) = texts.get(weights.len() + asked) else { break };
                let _ = write!(sql, ", if(cast(convert(convert(");
                push_literal(&mut sql, text);
                let _ = write!(sql, " using {}) using utf8mb4) as binary) = cast(", self.set);
                push_literal(&mut sql, text);
                let _ = write!(sql, " as binary), hex(weight_string({}{cast})), '-')", self.text(text));
                asked += 1;
            }
            sql.push(')');
            let row = session.row("ask how keys compare", "", &sql).await?;
            let answer = row.as_ref().and_then(|row| text(row, 0)).unwrap_or_default();
            let found = answer.split(',').map(|weight| (weight != "-").then(|| weight.to_owned()));
            let before = weights.len();
            weights.extend(found);
            if weights.len() - before != asked {
                return Err(StoreError::Failed(format!(
                    "{}: the server doesn't say how the collation {} compares: give the match key's column a binary \
                     collation, such as utf8mb4_bin",
                    session.line.name, self.name
                )));
            }
        }
        Ok(weights)
    }
}

//! Digests: what memory holds of a user instead of their row.

use hashbrown::HashMap;
use xxhash_rust::xxh3::{Xxh3Builder, xxh3_128_with_seed};

use crate::model::{
    column::{Case, ColumnType},
    plan::Layout,
};

/// A 128-bit digest, seeded anew for each run so that nobody can aim a collision.
pub type Digest = [u64; 2];

/// Digests of the users of one layout. Two with the same seed give the same.
#[derive(Clone, Debug)]
pub struct Digester {
    seed: u64,
    case: Case,
    frame: Vec<u8>,
}

impl Digester {
    /// For users of this layout; `seed` is drawn anew for each run.
    pub fn new(layout: &Layout, seed: u64) -> Self {
        Self { seed, case: key_case(&layout.key().kind), frame: Vec::new() }
    }

    /// The digest of a match key, as the database's unique index compares keys.
    pub fn key(&self, key: &str) -> Digest {
        let digest = |key: &str| halves(xxh3_128_with_seed(key.as_bytes(), self.seed));
        match self.case {
            // Where the database alone knows, the keys come in their forms.
            Case::Exact | Case::Ignored | Case::Collation => digest(key),
            Case::AsciiIgnored => digest(&key.to_ascii_lowercase()),
        }
    }

    /// The digest of those values that are specified, each framed by its length, so that no two lists run together.
    pub fn values<'a>(&mut self, specified: &[bool], values: impl Iterator<Item = Option<&'a str>>) -> Digest {
        let frame = &mut self.frame;
        frame.clear();
        for (value, _) in values.zip(specified).filter(|(_, specified)| **specified) {
            let size = value.map_or(u32::MAX, |text| text.len() as u32);
            frame.extend_from_slice(&size.to_le_bytes());
            frame.extend_from_slice(value.unwrap_or_default().as_bytes());
        }
        halves(xxh3_128_with_seed(frame, self.seed))
    }
}

/// Whether the database alone can say which keys are equal.
pub fn by_collation(layout: &Layout) -> bool {
    matches!(key_case(&layout.key().kind), Case::Ignored | Case::Collation)
}

/// How the database's unique index compares keys.
fn key_case(kind: &ColumnType) -> Case {
    match kind {
        ColumnType::Text { case, .. } => *case,
        _ => Case::Exact,
    }
}

fn halves(digest: u128) -> Digest {
    [digest as u64, (digest >> 64) as u64]
}

/// A mask of which nothing but that is known: there are more than have numbers.
pub const UNKNOWN_MASK: u16 = (1 << 12) - 1;

/// Which columns a row specifies, as a small number: most rows of a file share one of few patterns.
#[derive(Debug, Default)]
pub struct Masks {
    known: Vec<Box<[bool]>>,
    numbers: HashMap<Box<[bool]>, u16, Xxh3Builder>,
}

impl Masks {
    /// The mask's number.
    pub fn number(&mut self, mask: &[bool]) -> u16 {
        if let Some(number) = self.numbers.get(mask) {
            return *number;
        }
        let number = self.known.len() as u16;
        if number < UNKNOWN_MASK {
            self.known.push(mask.into());
            self.numbers.insert(mask.into(), number);
        }
        number.min(UNKNOWN_MASK)
    }

    /// The masks from that number on.
    pub fn from(&self, number: usize) -> &[Box<[bool]>] {
        self.known.get(number..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::layout::tests::layout;

    #[test]
    fn keys_are_compared_as_the_unique_index_compares_them() {
        for (case, alike) in [(Case::Exact, (false, false)), (Case::AsciiIgnored, (true, false))] {
            let mut layout = layout(&["id"]);
            layout.columns[0].column.kind = ColumnType::Text { max: None, padded: false, case };
            let digester = Digester::new(&layout, 7);
            let same = |one, other| digester.key(one) == digester.key(other);
            assert_eq!((same("ada", "ADA"), same("jürgen", "JÜRGEN")), alike, "{case:?}");
        }
    }

    #[test]
    fn values_do_not_run_together() {
        let mut digester = Digester::new(&layout(&["id"]), 7);
        let mut of = |values: &[Option<&str>]| digester.values(&[true, true], values.iter().copied());
        let all = [
            of(&[Some("ab"), Some("c")]),
            of(&[Some("a"), Some("bc")]),
            of(&[None, Some("c")]),
            of(&[Some(""), Some("c")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one), "{at}");
        }
    }

    #[test]
    fn each_mask_has_a_number_while_there_are_numbers() {
        let mut masks = Masks::default();
        let mask = |n: u64| -> Vec<bool> { (0..13).map(|bit| n >> bit & 1 == 1).collect() };
        for n in 0..5_000 {
            assert_eq!(masks.number(&mask(n)), (n as u16).min(UNKNOWN_MASK));
        }
        assert_eq!(masks.number(&mask(17)), 17);
        assert_eq!(*masks.from(17)[0], *mask(17));
        assert!(masks.from(usize::from(UNKNOWN_MASK)).is_empty());
    }
}

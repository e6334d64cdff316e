//! The file's users in memory: a digest of the key, a digest of the values and a place, 40 bytes each, whatever the
//! size of their rows. The rows themselves lie in a [`super::spill::Spill`].

use hashbrown::{HashMap, HashTable};
use xxhash_rust::xxh3::Xxh3Builder;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::model::{
    column::{Case, ColumnType},
    plan::Layout,
};

/// What the file says of one user, by digest.
pub struct FileIndex {
    seed: u64,
    case: Case,
    entries: Chunks,
    /// Places in `entries`, by the key's digest.
    table: HashTable<u32>,
    masks: Masks,
    frame: Vec<u8>,
}

/// A 128-bit digest, seeded anew for each run so that nobody can aim a collision.
type Digest = [u64; 2];

#[derive(Clone, Copy)]
struct Entry {
    key: Digest,
    /// Of the specified values; nothing for a rejected row.
    values: Digest,
    /// 48 bits of place (or the line, of a rejected row), 12 bits of mask, 4 bits of flags.
    place: u64,
}

const PLACE: u64 = (1 << 48) - 1;
const MASK_SHIFT: u32 = 48;
const UNKNOWN_MASK: u16 = (1 << 12) - 1;
const REJECTED: u64 = 1 << 60;
const SEEN: u64 = 1 << 61;

/// A user in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserRef(u32);

/// What the file says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A user, whose row lies in this place of the spill.
    User {
        /// For the index's other calls.
        user: UserRef,
        /// Place in the spill.
        place: u64,
    },
    /// Its row was rejected.
    Rejected {
        /// For the index's other calls.
        user: UserRef,
        /// The physical line of the row.
        line: u64,
    },
}

impl FileIndex {
    /// An empty index over users of this layout; `seed` is drawn anew for each run.
    pub fn new(layout: &Layout, seed: u64) -> Self {
        Self {
            seed,
            case: key_case(&layout.key().kind),
            entries: Chunks::default(),
            table: HashTable::new(),
            masks: Masks::default(),
            frame: Vec::new(),
        }
    }

    /// What the file has said of this key so far.
    pub fn find(&self, key: &str) -> Option<Found> {
        let digest = self.key_digest(key);
        let user = *self.table.find(digest[0], |&at| self.entries.get(at).key == digest)?;
        let entry = self.entries.get(user);
        let user = UserRef(user);
        Some(if entry.place & REJECTED != 0 {
            Found::Rejected { user, line: entry.place & PLACE }
        } else {
            Found::User { user, place: entry.place & PLACE }
        })
    }

    /// Adds a user whose key is not there yet. `values` are in the layout's order; those not `specified` take no part in
    /// comparisons.
    pub fn insert(&mut self, key: &str, values: &[Option<String>], specified: &[bool], place: u64) {
        let mask = self.masks.intern(specified);
        let values = match mask {
            UNKNOWN_MASK => [0; 2],
            _ => digest(&mut self.frame, self.seed, chosen(specified, values.iter().map(Option::as_deref))),
        };
        let key = self.key_digest(key);
        self.push(Entry { key, values, place: (place & PLACE) | u64::from(mask) << MASK_SHIFT });
    }

    /// Adds a key whose row was rejected: it belongs to that row all the same.
    pub fn insert_rejected(&mut self, key: &str, line: u64) {
        let key = self.key_digest(key);
        self.push(Entry { key, values: [0; 2], place: (line & PLACE) | REJECTED });
    }

    /// Whether the table's row (in the layout's order) has all the values that the file specifies. None: the digest
    /// can't tell, compare the values.
    pub fn equal<'a>(&mut self, user: UserRef, row: impl Iterator<Item = Option<&'a str>>) -> Option<bool> {
        let entry = self.entries.get(user.0);
        let specified = self.masks.get((entry.place >> MASK_SHIFT) as u16 & UNKNOWN_MASK)?;
        Some(digest(&mut self.frame, self.seed, chosen(specified, row)) == entry.values)
    }

    /// Notes that the table has this user. True if that was noted before.
    pub fn see(&mut self, user: UserRef) -> bool {
        let place = &mut self.entries.get_mut(user.0).place;
        let before = *place & SEEN != 0;
        *place |= SEEN;
        before
    }

    /// Notes that a user of the file can't be imported after all.
    pub fn reject(&mut self, user: UserRef) {
        self.entries.get_mut(user.0).place |= REJECTED;
    }

    /// Forgets what was seen, before the table is read again.
    pub fn forget_seen(&mut self) {
        (0..self.entries.len).for_each(|at| self.entries.get_mut(at).place &= !SEEN);
    }

    /// The users that the table was not seen to have, in the order of the file, with their places in the spill.
    pub fn unseen(&self) -> impl Iterator<Item = (UserRef, u64)> {
        (0..self.entries.len)
            .map(|at| (UserRef(at), self.entries.get(at).place))
            .filter(|(_, place)| place & (SEEN | REJECTED) == 0)
            .map(|(user, place)| (user, place & PLACE))
    }

    /// The digest under which the key is kept, as the database's unique index compares keys.
    pub fn key_digest(&self, key: &str) -> Digest {
        let digest = |key: &str| halves(xxh3_128_with_seed(key.as_bytes(), self.seed));
        match self.case {
            // Of a collation the index is given forms, not keys.
            Case::Exact | Case::Collation => digest(key),
            Case::AsciiIgnored => digest(&key.to_ascii_lowercase()),
            Case::Ignored => digest(&key.to_lowercase()),
        }
    }

    fn push(&mut self, entry: Entry) {
        let at = self.entries.push(entry);
        let entries = &self.entries;
        self.table.insert_unique(entry.key[0], at, |&at| entries.get(at).key[0]);
    }
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

fn chosen<'a>(
    specified: &[bool],
    values: impl Iterator<Item = Option<&'a str>>,
) -> impl Iterator<Item = Option<&'a str>> {
    values.zip(specified).filter(|(_, specified)| **specified).map(|(value, _)| value)
}

/// A digest of values in order, each framed by its length, so that no two lists run together.
fn digest<'a>(frame: &mut Vec<u8>, seed: u64, values: impl Iterator<Item = Option<&'a str>>) -> Digest {
    frame.clear();
    for value in values {
        let size = value.map_or(u32::MAX, |text| text.len() as u32);
        frame.extend_from_slice(&size.to_le_bytes());
        frame.extend_from_slice(value.unwrap_or_default().as_bytes());
    }
    halves(xxh3_128_with_seed(frame, seed))
}

/// Which columns a row specifies, as a small number: most rows of a file share one of few patterns.
#[derive(Default)]
struct Masks {
    known: Vec<Box<[bool]>>,
    numbers: HashMap<Box<[bool]>, u16, Xxh3Builder>,
}

impl Masks {
    fn intern(&mut self, mask: &[bool]) -> u16 {
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

    fn get(&self, number: u16) -> Option<&[bool]> {
        self.known.get(usize::from(number)).map(AsRef::as_ref)
    }
}

/// Entries in pieces that never move: growing copies nothing, and the peak is what is held.
#[derive(Default)]
struct Chunks {
    pieces: Vec<Vec<Entry>>,
    len: u32,
}

const PIECE: u32 = 1 << 14;

impl Chunks {
    fn push(&mut self, entry: Entry) -> u32 {
        let at = self.len;
        if at.is_multiple_of(PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE as usize));
        }
        self.pieces[(at / PIECE) as usize].push(entry);
        self.len += 1;
        at
    }

    fn get(&self, at: u32) -> &Entry {
        &self.pieces[(at / PIECE) as usize][(at % PIECE) as usize]
    }

    fn get_mut(&mut self, at: u32) -> &mut Entry {
        &mut self.pieces[(at / PIECE) as usize][(at % PIECE) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::layout::tests::layout;

    fn values(cells: &[Option<&str>]) -> Vec<Option<String>> {
        cells.iter().map(|cell| cell.map(str::to_owned)).collect()
    }

    #[test]
    fn equality_is_of_the_specified_values_only() {
        let mut index = FileIndex::new(&layout(&["id", "email", "city"]), 7);
        index.insert("E1", &values(&[Some("E1"), Some("a@b"), None]), &[false, true, false], 10);
        index.insert("E2", &values(&[Some("E2"), None, Some("Rome")]), &[false, true, true], 20);
        let Some(Found::User { user: first, place: 10 }) = index.find("E1") else { panic!() };
        let Some(Found::User { user: second, place: 20 }) = index.find("E2") else { panic!() };
        assert_eq!(index.equal(first, [Some("E1"), Some("a@b"), Some("Oslo")].into_iter()), Some(true));
        assert_eq!(index.equal(first, [Some("E1"), Some("a@c"), Some("Oslo")].into_iter()), Some(false));
        assert_eq!(index.equal(second, [Some("E2"), None, Some("Rome")].into_iter()), Some(true));
        assert_eq!(index.equal(second, [Some("E2"), Some(""), Some("Rome")].into_iter()), Some(false));
        assert_eq!(index.find("e1"), None);
    }

    #[test]
    fn keys_are_compared_as_the_unique_index_compares_them() {
        for (case, alike) in
            [(Case::Exact, (false, false)), (Case::AsciiIgnored, (true, false)), (Case::Ignored, (true, true))]
        {
            let mut layout = layout(&["id"]);
            layout.columns[0].column.kind = ColumnType::Text { max: None, padded: false, case };
            let mut index = FileIndex::new(&layout, 7);
            index.insert("ada", &[], &[], 1);
            index.insert("jürgen", &[], &[], 2);
            assert_eq!((index.find("ADA").is_some(), index.find("JÜRGEN").is_some()), alike, "{case:?}");
        }
    }

    #[test]
    fn unseen_users_come_in_file_order_and_without_rejects() {
        let mut index = FileIndex::new(&layout(&["id"]), 7);
        for n in 0..40_000u64 {
            index.insert(&n.to_string(), &[], &[], n * 3);
        }
        index.insert_rejected("bad", 14);
        assert!(matches!(index.find("bad"), Some(Found::Rejected { line: 14, .. })));
        for n in (0..40_000).filter(|n| n % 1_000 != 0) {
            let Some(Found::User { user, .. }) = index.find(&n.to_string()) else { panic!() };
            index.see(user);
        }
        let places: Vec<_> = index.unseen().map(|(_, place)| place).collect();
        assert_eq!(places, (0..40).map(|n| n * 3_000).collect::<Vec<_>>());
        index.forget_seen();
        assert_eq!(index.unseen().count(), 40_000);
    }

    #[test]
    fn masks_beyond_the_number_of_numbers_leave_it_to_the_values() {
        let mut index = FileIndex::new(&layout(&["id"]), 7);
        for n in 0..5_000u64 {
            let mask: Vec<bool> = (0..13).map(|bit| n >> bit & 1 == 1).collect();
            index.insert(&n.to_string(), &[], &mask, n);
        }
        let Some(Found::User { user, .. }) = index.find("4999") else { panic!() };
        assert_eq!(index.equal(user, [].into_iter()), None);
    }
}

//! The file's users in memory: digests of key and values, and where the row is, 48 bytes each, whatever the size of their rows.
//! The rows themselves stay in the file: see [`super::users`].

use hashbrown::HashTable;

use super::digest::{Digest, Digester, UNKNOWN_MASK};

/// What the file says of one user, by digest.
pub struct FileIndex {
    digester: Digester,
    entries: Chunks,
    /// Places in `entries`, by the key's digest.
    table: HashTable<u32>,
    masks: Vec<Box<[bool]>>,
    /// The one behind the one that was found last: a table mostly lies in the order of the file.
    next: u32,
}

/// A row of the file that is a user, by digest.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Of the match key.
    pub key: Digest,
    /// Of the values that the row specifies.
    pub values: Digest,
    /// Which these are: see [`super::digest::Masks`].
    pub mask: u16,
    /// Where the row is.
    pub at: Place,
}

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it begins in the text that is read.
    pub offset: u64,
    /// The physical line on which it begins, from 1; the last one of which there is a number stands for all behind it.
    pub line: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    key: Digest,
    /// Of the specified values; nothing for a rejected row.
    values: Digest,
    /// 48 bits of offset, 12 bits of mask, 4 bits of flags.
    offset: u64,
    line: u32,
}

const OFFSET: u64 = (1 << 48) - 1;
const MASK_SHIFT: u32 = 48;
const REJECTED: u64 = 1 << 60;
const SEEN: u64 = 1 << 61;

/// A user in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserRef(u32);

impl UserRef {
    /// Its number in the order of the file, from 0.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// What the file says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A user.
    User(UserRef, Place),
    /// Its row was rejected.
    Rejected(UserRef, Place),
}

impl FileIndex {
    /// An empty index. What it is given must come of a digester with the same seed.
    pub fn new(digester: Digester) -> Self {
        Self { digester, entries: Chunks::default(), table: HashTable::new(), masks: Vec::new(), next: 0 }
    }

    /// How many keys it has.
    pub fn len(&self) -> u32 {
        self.entries.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for so many keys, so that it grows in one step.
    pub fn expect(&mut self, keys: usize) {
        let entries = &self.entries;
        self.table.reserve(keys.saturating_sub(self.table.len()), |&at| entries.get(at).key[0]);
    }

    /// Learns the next numbers of masks.
    pub fn learn(&mut self, masks: impl IntoIterator<Item = Box<[bool]>>) {
        self.masks.extend(masks);
    }

    /// What the file has said of this key so far.
    pub fn find(&mut self, key: &str) -> Option<Found> {
        let digest = self.digester.key(key);
        let Self { entries, table, next, .. } = self;
        let is = |at: u32| entries.get(at).key == digest;
        let user = if *next < entries.len && is(*next) { *next } else { *table.find(digest[0], |&at| is(at))? };
        *next = user + 1;
        Some(entries.found(user))
    }

    /// Adds a user. `Err`: the file has said something of the key before.
    pub fn insert(&mut self, user: &Taken) -> Result<UserRef, Found> {
        let offset = (user.at.offset & OFFSET) | u64::from(user.mask & UNKNOWN_MASK) << MASK_SHIFT;
        self.push(Entry { key: user.key, values: user.values, offset, line: user.at.line })
    }

    /// Adds a key whose row was rejected: it belongs to that row all the same, unless an earlier one has it.
    pub fn insert_rejected(&mut self, key: Digest, at: Place) {
        let offset = (at.offset & OFFSET) | REJECTED;
        // Whose key it is already, stays so.
        let _ = self.push(Entry { key, values: [0; 2], offset, line: at.line });
    }

    /// Whether the table's row (in the layout's order) has all the values that the file specifies. None: the digest
    /// can't tell, compare the values.
    pub fn equal<'a>(&mut self, user: UserRef, row: impl Iterator<Item = Option<&'a str>>) -> Option<bool> {
        let entry = self.entries.get(user.0);
        let specified = self.masks.get(usize::from((entry.offset >> MASK_SHIFT) as u16 & UNKNOWN_MASK))?;
        Some(self.digester.values(specified, row) == entry.values)
    }

    /// Notes that the table has this user. True if that was noted before.
    pub fn see(&mut self, user: UserRef) -> bool {
        let flags = &mut self.entries.get_mut(user.0).offset;
        let before = *flags & SEEN != 0;
        *flags |= SEEN;
        before
    }

    /// Forgets what was seen, before the table is read again.
    pub fn forget_seen(&mut self) {
        (0..self.entries.len).for_each(|at| self.entries.get_mut(at).offset &= !SEEN);
    }

    /// The users that the table was not seen to have, in the order of the file.
    pub fn unseen(&self) -> impl Iterator<Item = (UserRef, Place)> {
        let unseen = |entry: &Entry| entry.offset & (SEEN | REJECTED) == 0;
        let places = (0..self.entries.len).map(|at| (UserRef(at), self.entries.get(at)));
        places.filter(move |(_, entry)| unseen(entry)).map(|(user, entry)| (user, entry.at()))
    }

    /// The digest under which the key is kept, as the database's unique index compares keys.
    pub fn key_digest(&self, key: &str) -> Digest {
        self.digester.key(key)
    }

    fn push(&mut self, entry: Entry) -> Result<UserRef, Found> {
        let entries = &self.entries;
        let place =
            self.table.entry(entry.key[0], |&at| entries.get(at).key == entry.key, |&at| entries.get(at).key[0]);
        match place {
            hashbrown::hash_table::Entry::Occupied(earlier) => Err(entries.found(*earlier.get())),
            hashbrown::hash_table::Entry::Vacant(place) => {
                let at = entries.len;
                place.insert(at);
                self.entries.push(entry);
                Ok(UserRef(at))
            }
        }
    }
}

impl Entry {
    fn at(&self) -> Place {
        Place { offset: self.offset & OFFSET, line: self.line }
    }
}

/// Entries in pieces that never move: growing copies nothing, and the peak is what is held.
#[derive(Default)]
struct Chunks {
    pieces: Vec<Vec<Entry>>,
    len: u32,
}

/// Entries in a piece. So large (48 MiB) that an allocator takes each from the system, which gives memory for what is written
/// alone: among buffers that come and go, smaller ones would leave holes. (Tests see more than one.)
const PIECE: u32 = if cfg!(test) { 1 << 14 } else { 1 << 20 };

impl Chunks {
    fn push(&mut self, entry: Entry) {
        let at = self.len;
        if at.is_multiple_of(PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE as usize));
        }
        self.pieces[(at / PIECE) as usize].push(entry);
        self.len += 1;
    }

    fn get(&self, at: u32) -> &Entry {
        &self.pieces[(at / PIECE) as usize][(at % PIECE) as usize]
    }

    fn get_mut(&mut self, at: u32) -> &mut Entry {
        &mut self.pieces[(at / PIECE) as usize][(at % PIECE) as usize]
    }

    fn found(&self, at: u32) -> Found {
        let entry = self.get(at);
        if entry.offset & REJECTED != 0 {
            Found::Rejected(UserRef(at), entry.at())
        } else {
            Found::User(UserRef(at), entry.at())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{digest::Masks, layout::tests::layout};

    /// An index, and what fills it.
    struct Filled(FileIndex, Digester, Masks);

    impl Filled {
        fn new(columns: &[&str]) -> Self {
            let digester = Digester::new(&layout(columns), 7);
            Self(FileIndex::new(digester.clone()), digester, Masks::default())
        }

        fn insert(
            &mut self,
            key: &str,
            values: &[Option<&str>],
            specified: &[bool],
            offset: u64,
        ) -> Result<UserRef, Found> {
            let Self(index, digester, masks) = self;
            let known = masks.from(0).len();
            let values = digester.values(specified, values.iter().copied());
            let user = Taken { key: digester.key(key), values, mask: masks.number(specified), at: place(offset) };
            index.learn(masks.from(known).to_vec());
            index.insert(&user)
        }
    }

    fn place(offset: u64) -> Place {
        Place { offset, line: 1 + (offset / 10) as u32 }
    }

    #[test]
    fn equality_is_of_the_specified_values_only() {
        let mut filled = Filled::new(&["id", "email", "city"]);
        filled.insert("E1", &[Some("E1"), Some("a@b"), None], &[false, true, false], 10).unwrap();
        filled.insert("E2", &[Some("E2"), None, Some("Rome")], &[false, true, true], 20).unwrap();
        let index = &mut filled.0;
        let Some(Found::User(first, at)) = index.find("E1") else { panic!() };
        assert_eq!(at, place(10));
        let Some(Found::User(second, _)) = index.find("E2") else { panic!() };
        assert_eq!(index.equal(first, [Some("E1"), Some("a@b"), Some("Oslo")].into_iter()), Some(true));
        assert_eq!(index.equal(first, [Some("E1"), Some("a@c"), Some("Oslo")].into_iter()), Some(false));
        assert_eq!(index.equal(second, [Some("E2"), None, Some("Rome")].into_iter()), Some(true));
        assert_eq!(index.equal(second, [Some("E2"), Some(""), Some("Rome")].into_iter()), Some(false));
        assert_eq!(index.find("e1"), None);
    }

    #[test]
    fn the_first_row_has_the_key() {
        let mut filled = Filled::new(&["id"]);
        let first = filled.insert("E1", &[], &[], 10).unwrap();
        assert_eq!(filled.insert("E1", &[], &[], 20), Err(Found::User(first, place(10))));
        filled.0.insert_rejected(filled.1.key("E2"), place(30));
        assert!(matches!(filled.insert("E2", &[], &[], 40), Err(Found::Rejected(_, at)) if at == place(30)));
        filled.0.insert_rejected(filled.1.key("E1"), place(50));
        assert_eq!(filled.0.find("E1"), Some(Found::User(first, place(10))));
        assert_eq!(filled.0.len(), 2);
    }

    #[test]
    fn unseen_users_come_in_file_order_and_without_rejects() {
        let mut filled = Filled::new(&["id"]);
        filled.0.expect(40_000);
        for n in 0..40_000u64 {
            filled.insert(&n.to_string(), &[], &[], n * 30).unwrap();
        }
        filled.0.insert_rejected(filled.1.key("bad"), place(14));
        let mut index = filled.0;
        for n in (0..40_000).filter(|n| n % 1_000 != 0) {
            let Some(Found::User(user, _)) = index.find(&n.to_string()) else { panic!() };
            assert!(!index.see(user) && index.see(user));
        }
        let places: Vec<_> = index.unseen().map(|(_, place)| place.offset).collect();
        assert_eq!(places, (0..40).map(|n| n * 30_000).collect::<Vec<_>>());
        index.forget_seen();
        assert_eq!(index.unseen().count(), 40_000);
    }

    #[test]
    fn masks_beyond_the_number_of_numbers_leave_it_to_the_values() {
        let mut filled = Filled::new(&["id"]);
        for n in 0..5_000u64 {
            let mask: Vec<bool> = (0..13).map(|bit| n >> bit & 1 == 1).collect();
            filled.insert(&n.to_string(), &[], &mask, n).unwrap();
        }
        let Some(Found::User(user, _)) = filled.0.find("4999") else { panic!() };
        assert_eq!(filled.0.equal(user, [].into_iter()), None);
    }
}

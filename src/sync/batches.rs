//! The file's rows in batches: decoded, mapped and digested, the part of reading that needs nothing but the file.

use super::{
    decode::{DecodeError, Decoder, RawRow},
    digest::{Digest, Digester, Masks, by_collation},
    index::{Place, Taken},
    map::{Mapped, Mapper, User},
};
use crate::model::{plan::Layout, reject::Reject, rows::Rows};

/// Rows of a batch.
const ROWS: usize = 1_024;
/// Bytes of text after which a batch is full, however few its rows are.
const SIZE: usize = 1 << 20;

/// Reads a file's rows.
pub struct Batches {
    decoder: Decoder,
    mapper: Mapper,
    digester: Digester,
    masks: Masks,
    /// Which columns an added user's row has.
    inserted: Vec<usize>,
    /// Whether the database alone can say which keys are equal.
    by_collation: bool,
    row: RawRow,
    user: User,
}

/// Some rows in the order of the file.
#[derive(Default)]
pub struct Batch {
    /// What they are.
    pub rows: Vec<FileRow>,
    /// Of each user among them the columns that an added user's row has; nothing where that was not asked for.
    pub inserted: Option<Rows>,
    /// The match key of each of them, where the database alone can say which keys are equal; NULL where it can't be read.
    pub keys: Option<Rows>,
    /// The masks whose numbers are new.
    pub masks: Vec<Box<[bool]>>,
    /// How many rows were read.
    pub read: u64,
    /// How many of them the filter leaves out.
    pub filtered: u64,
    /// How many bytes of the text are read by now.
    pub position: u64,
}

/// A row that is not left out.
pub enum FileRow {
    /// A user.
    User(Taken),
    /// A row that is refused.
    Refused(Box<RefusedRow>),
}

/// A row that is refused.
pub struct RefusedRow {
    /// Of its match key, where that can be read.
    pub key: Option<Digest>,
    /// Why.
    pub reject: Reject,
    /// As it came.
    pub row: RawRow,
}

impl Batches {
    /// The rows of `decoder` as users of this layout.
    pub fn new(decoder: Decoder, mapper: Mapper, digester: Digester, layout: &Layout) -> Self {
        let inserted = layout.insert_columns().map(|(at, _)| at).collect();
        let by_collation = by_collation(layout);
        let (row, user, masks) = Default::default();
        Self { decoder, mapper, digester, masks, inserted, by_collation, row, user }
    }

    /// How many bytes the text has.
    pub fn size(&self) -> u64 {
        self.decoder.size()
    }

    /// The next rows, with what an added user's row would have if that is `wanted`. None: the file has ended. An error names
    /// the line before it.
    pub fn next(&mut self, wanted: bool) -> Result<Option<Batch>, (u64, DecodeError)> {
        let known = self.masks.from(0).len();
        let mut batch = Batch { rows: Vec::with_capacity(ROWS), ..Batch::default() };
        batch.inserted = wanted.then(|| Rows::new(self.inserted.len()));
        batch.keys = self.by_collation.then(|| Rows::new(1));
        let begun = self.decoder.position();
        while batch.rows.len() < ROWS && self.decoder.position() - begun < SIZE as u64 {
            let read = self.decoder.next(&mut self.row).map_err(|error| (self.row.line, error))?;
            let Some(read) = read else { break };
            batch.read += 1;
            self.user.key = None;
            let row = match read.map(|()| self.mapper.map(&self.row, &mut self.user)) {
                Ok(Mapped::User) => FileRow::User(self.taken(&mut batch.inserted)),
                Ok(Mapped::Filtered) => {
                    batch.filtered += 1;
                    continue;
                }
                Ok(Mapped::Rejected(reject)) | Err(reject) => {
                    let key = self.user.key.as_deref().map(|key| self.digester.key(key));
                    FileRow::Refused(Box::new(RefusedRow { key, reject, row: self.row.clone() }))
                }
            };
            batch.rows.push(row);
            if let Some(keys) = &mut batch.keys {
                keys.push(self.user.key.as_deref());
            }
        }
        batch.masks = self.masks.from(known).to_vec();
        batch.position = self.decoder.position();
        Ok((batch.read > 0).then_some(batch))
    }

    fn taken(&mut self, inserted: &mut Option<Rows>) -> Taken {
        let Self { user, digester, masks, row, .. } = self;
        let cells = || user.values.iter().map(Option::as_deref);
        if let Some(rows) = inserted {
            rows.push_row(self.inserted.iter().map(|at| user.values[*at].as_deref()));
        }
        Taken {
            key: digester.key(user.key.as_deref().unwrap_or_default()),
            values: digester.values(&user.specified, cells()),
            mask: masks.number(&user.specified),
            at: Place { offset: row.offset, line: u32::try_from(row.line).unwrap_or(u32::MAX) },
        }
    }
}

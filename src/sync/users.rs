//! The file's users, read once more where they are needed: memory holds digests only.

use std::io;

use super::{
    decode::{RawRow, Rereader},
    index::Place,
    map::{Mapped, Mapper, User},
};

/// Finds users in the file by their place.
pub struct FileUsers {
    rows: Rereader,
    mapper: Mapper,
    row: RawRow,
    user: User,
}

impl FileUsers {
    /// Reads `rows` by `mapper`, which must be the one's equal that read them first.
    pub fn new(rows: Rereader, mapper: Mapper) -> Self {
        Self { rows, mapper, row: RawRow::default(), user: User::default() }
    }

    /// The user whose row is there, until the next is asked for.
    pub fn user(&mut self, place: Place) -> io::Result<&User> {
        self.row(place)?;
        match self.mapper.map(&self.row, &mut self.user) {
            Mapped::User => Ok(&self.user),
            Mapped::Filtered | Mapped::Rejected(_) => Err(other_than_before(place)),
        }
    }

    /// The match key of the user whose row is there.
    pub fn key(&mut self, place: Place) -> io::Result<&str> {
        self.row(place)?;
        self.mapper.key(&self.row, &mut self.user);
        self.user.key.as_deref().ok_or_else(|| other_than_before(place))
    }

    /// The row that is there, as it came.
    pub fn row(&mut self, place: Place) -> io::Result<&RawRow> {
        self.rows.read(place.offset, place.line.into(), &mut self.row)?;
        Ok(&self.row)
    }
}

fn other_than_before(place: Place) -> io::Error {
    io::Error::other(format!(
        "line {} of the spooled file is another than before: did something else write to it?",
        place.line
    ))
}

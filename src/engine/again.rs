//! Again: which refused rows are tried once more, and why those that are left were refused. Memory holds their places,
//! however many they are.

use std::io;

use super::{read::FileRows, spool::scratch};
use crate::{
    ports::{Refused, Why},
    sync::spill::{SpillReader, SpillWriter},
};

/// How often refused rows are tried again, at most: each round must get further. They are written batch by batch, and a
/// row may need one of a later batch that needs another in its turn.
const ROUNDS: u32 = 16;

/// Refused rows (their places) that are tried again, all of them in each round.
pub(super) struct Tries<Place> {
    /// Those to try in this round.
    pub rows: Vec<Place>,
    rounds: u32,
    last: Option<SpillReader<(Why, String)>>,
}

/// The rows that one round could not write either, with the database's reasons.
pub(super) struct Refusals<Place> {
    rows: Vec<Place>,
    reasons: SpillWriter<(Why, String)>,
}

impl<Place: Copy> Tries<Place> {
    /// Tries of these rows.
    pub fn of(rows: Vec<Place>) -> Self {
        Self { rows, rounds: 0, last: None }
    }

    /// Begins a round. None: there is nothing left to try, or no use in it.
    pub fn next(&mut self, file: &FileRows) -> io::Result<Option<Refusals<Place>>> {
        if self.rows.is_empty() || self.last.is_some() {
            return Ok(None);
        }
        self.rounds += 1;
        Ok(Some(Refusals { rows: Vec::new(), reasons: SpillWriter::new(scratch(&file.spool)?) }))
    }

    /// Ends a round.
    pub fn done(&mut self, refusals: Refusals<Place>) -> io::Result<()> {
        let further = refusals.rows.len() < self.rows.len();
        self.rows = refusals.rows;
        if !further || self.rounds == ROUNDS {
            self.last = Some(refusals.reasons.finish()?.read()?);
        }
        Ok(())
    }

    /// The rows that stay refused, in order, and why.
    pub fn refused(self) -> impl Iterator<Item = (Place, io::Result<(Why, String)>)> {
        self.rows.into_iter().zip(self.last.into_iter().flatten())
    }
}

impl<Place: Copy> Refusals<Place> {
    /// Adds those of a batch that the database refused.
    pub fn add(&mut self, batch: &[Place], refused: Vec<Refused>) -> io::Result<()> {
        for Refused { index, message, why } in refused {
            self.rows.push(batch[index]);
            self.reasons.push(&(why, message))?;
        }
        Ok(())
    }
}

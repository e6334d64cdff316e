//! Which file a run takes, and why not the others.

mod judge;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;

pub use self::judge::{Judged, Passed, Verdict, View, judge};
use crate::{
    api::Select,
    model::{
        file::{Listed, ListedKind, Stamp},
        job::Take,
        ledger::LedgerRow,
        sync::Tried,
    },
};

/// What a look into the folder comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This file is new.
    Take(Stamp),
    /// Nothing is new: the last imported file that is still there is compared again.
    Again(Stamp),
    /// The only new files are larger than `maxSize`; this is the first of them.
    TooLarge(Stamp),
    /// This file is held, and with its kind of order nothing is taken before a person has decided on it.
    Waits(Stamp),
    /// There is nothing to take.
    Nothing,
}

/// Names that upload programs give to files that are not complete.
const PARTIAL: [&str; 3] = [".part", ".tmp", ".filepart"];

/// Chooses for an explicit run: of the files not imported yet, or else the last one again. `imported` are committed
/// runs, newest first. With `after`, only files that come later in the order of `select: All` are looked at.
pub fn choose(listing: &[Listed], take: &Take, imported: &[LedgerRow], after: Option<&Stamp>) -> Choice {
    let matching = matching(listing, take, after);
    let files: HashSet<&Stamp> = imported.iter().map(|row| &row.file).collect();
    let known = |listed: &Listed| files.contains(&Stamp::from(listed));
    let new: Vec<_> = matching.iter().filter(|listed| !known(listed)).collect();
    if let Some(listed) = new.iter().find(|listed| listed.size <= take.max_size) {
        return Choice::Take(Stamp::from(**listed));
    }
    if let Some(listed) = new.first() {
        return Choice::TooLarge(Stamp::from(**listed));
    }
    let listed: HashSet<Stamp> = matching.iter().map(|listed| Stamp::from(*listed)).collect();
    let there = |row: &&LedgerRow| listed.contains(&row.file);
    match imported.iter().find(there) {
        Some(row) if after.is_none() => Choice::Again(row.file.clone()),
        _ => Choice::Nothing,
    }
}

/// Chooses for a run that the schedule started: the next file that was neither imported with this spec (its digest) nor
/// `tried` with it. Behind a held file nothing is taken: what comes later would be overtaken by it once it is approved.
pub fn choose_due(listing: &[Listed], take: &Take, imported: &[LedgerRow], spec: &str, tried: &[Tried]) -> Choice {
    let done: HashSet<&Stamp> = imported.iter().filter(|row| row.spec == spec).map(|row| &row.file).collect();
    let mut seen: HashMap<&Stamp, bool> = HashMap::new();
    for tried in tried {
        *seen.entry(&tried.file).or_default() |= tried.held;
    }
    let mut too_large = None;
    for listed in matching(listing, take, None) {
        let stamp = Stamp::from(listed);
        match seen.get(&stamp) {
            _ if done.contains(&stamp) => {}
            Some(true) => return Choice::Waits(stamp),
            Some(false) => {}
            None if listed.size <= take.max_size => return Choice::Take(stamp),
            None => too_large = too_large.or(Some(stamp)),
        }
    }
    too_large.map_or(Choice::Nothing, Choice::TooLarge)
}

/// Chooses for a run that a person approved: the file that was held, if it is still there.
pub fn choose_approved(listing: &[Listed], take: &Take, held: &Stamp) -> Option<Choice> {
    let candidates = Candidates::new(listing, take);
    let listed = listing.iter().find(|listed| Stamp::from(*listed) == *held)?;
    candidates.passed(listed).is_none().then(|| Choice::Take(held.clone()))
}

/// The candidates in the order in which they are taken.
fn matching<'a>(listing: &'a [Listed], take: &Take, after: Option<&Stamp>) -> Vec<&'a Listed> {
    let candidates = Candidates::new(listing, take);
    let mut matching: Vec<_> = listing.iter().filter(|listed| candidates.passed(listed).is_none()).collect();
    matching.sort_by_key(|listed| (listed.mtime, &listed.name));
    if let Some(after) = after {
        matching.retain(|listed| (listed.mtime, &listed.name) > (after.mtime, &after.name));
    }
    if take.select == Select::Newest {
        // An older file behind a newer one would bring back what was.
        matching.drain(..matching.len().saturating_sub(1));
    }
    matching
}

/// Judges the names of one listing, whatever the ledger says. Size is judged by [`choose`].
pub struct Candidates<'a> {
    take: &'a Take,
    /// None where the glob is none. (Validation has compiled it before.)
    glob: Option<GlobMatcher>,
    /// When each file was written: a marker must not be older than its file.
    times: HashMap<&'a str, Timestamp>,
}

impl<'a> Candidates<'a> {
    /// Of this listing.
    pub fn new(listing: &'a [Listed], take: &'a Take) -> Self {
        let glob = GlobBuilder::new(&take.files).literal_separator(true).build().ok();
        let files = listing.iter().filter(|listed| take.wait_for.is_some() && listed.kind == ListedKind::File);
        let times = files.map(|listed| (listed.name.as_str(), listed.mtime)).collect();
        Self { take, glob: glob.map(|glob| glob.compile_matcher()), times }
    }

    /// Why a name is no candidate.
    pub fn passed(&self, listed: &Listed) -> Option<Passed> {
        match listed.kind {
            ListedKind::File => {}
            ListedKind::Folder => return Some(Passed::Folder),
            ListedKind::Other => return Some(Passed::NoFile),
        }
        if PARTIAL.iter().any(|end| listed.name.to_ascii_lowercase().ends_with(end)) {
            return Some(Passed::PartialUpload);
        }
        if !self.glob.as_ref().is_some_and(|glob| glob.is_match(&listed.name)) {
            return Some(Passed::OtherName);
        }
        let marker = self.marker(&listed.name)?;
        match self.times.get(marker.as_str()) {
            Some(time) if *time >= listed.mtime => None,
            found => Some(Passed::NoMarker { older: found.is_some(), marker }),
        }
    }

    /// The name of a file's marker, if files have one.
    fn marker(&self, name: &str) -> Option<String> {
        self.take.wait_for.as_ref().map(|pattern| pattern.replace("{name}", name))
    }
}

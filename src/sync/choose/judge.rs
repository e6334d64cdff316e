//! What the next run makes of each name in the folder, and why.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

use super::{Candidates, Choice};
use crate::{
    api::Select,
    model::{
        file::{Listed, Stamp},
        job::Take,
        ledger::LedgerRow,
        sync::Tried,
    },
    sync::render::text::bytes,
};

/// What is known when a run chooses.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The folder, but for `outdated`.
    pub listing: &'a [Listed],
    /// Candidates left out because they are older than the file imported last (`select: Newest`), and that file's name.
    pub outdated: (&'a [Listed], &'a str),
    /// What the spec says.
    pub take: &'a Take,
    /// Committed runs of these files, newest first.
    pub imported: &'a [LedgerRow],
    /// Of a run that the schedule starts: the spec's digest, and the files that it has tried. None: somebody asks for the run.
    pub due: Option<(&'a str, &'a [Tried])>,
    /// The file of the run before, with `select: All`.
    pub after: Option<&'a Stamp>,
    /// A file that is taken is looked at again that much later. None: it stands still already.
    pub again: Option<Duration>,
}

/// One name, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// As listed.
    pub listed: Listed,
    /// What the run makes of it.
    pub verdict: Verdict,
}

/// What a run makes of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken.
    Taken {
        /// Nothing is new: it was imported already, and is compared once more.
        known: bool,
        /// It is looked at a second time this much later, and only taken if it has not changed.
        again: Option<Duration>,
    },
    /// It is not.
    Passed(Passed),
}

/// Why a file is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It is a folder.
    Folder,
    /// It is a link that is not followed, a device, a socket.
    NoFile,
    /// Its name doesn't match `source.files`.
    OtherName,
    /// It is the marker of this file.
    Marker(String),
    /// It is named like an upload that is not finished.
    PartialUpload,
    /// Its marker file (`source.waitFor`) is not there, or is older.
    NoMarker {
        /// The marker's name.
        marker: String,
        /// It is there.
        older: bool,
    },
    /// It is larger than `source.maxSize`.
    TooLarge,
    /// It was imported.
    Imported {
        /// The run that did it.
        run: String,
        /// When, by the database's clock.
        at: Timestamp,
    },
    /// A safeguard holds it.
    Held,
    /// It failed, with the spec as it is.
    Failed,
    /// It is older than this file, which was imported last (`select: Newest`).
    Outdated(String),
    /// It is older than this one (`select: Newest`).
    Older(String),
    /// It comes after this file, which is held.
    Waits(String),
    /// It comes after this file, which is taken.
    Later(String),
    /// The run before was the turn of it, or of a later one (`select: All`).
    Before,
}

impl Verdict {
    /// In one word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Taken { known: false, .. } => "Taken",
            Self::Taken { known: true, .. } => "ComparedAgain",
            Self::Passed(passed) => passed.code(),
        }
    }

    /// In plain words. Names in it are as the server says them.
    pub fn words(&self, take: &Take) -> String {
        match self {
            Self::Taken { known, again } => {
                let what = if *known { "imported before; compared once more" } else { "taken next" };
                let twice = again.and_then(|again| jiff::SignedDuration::try_from(again).ok());
                let twice = twice.map(|again| format!(" (will be looked at twice, {again:#} apart)"));
                format!("{what}{}", twice.unwrap_or_default())
            }
            Self::Passed(passed) => passed.words(take),
        }
    }
}

impl Passed {
    fn code(&self) -> &'static str {
        match self {
            Self::Folder => "Folder",
            Self::NoFile => "NoFile",
            Self::OtherName => "OtherName",
            Self::Marker(_) => "Marker",
            Self::PartialUpload => "PartialUpload",
            Self::NoMarker { older: false, .. } => "MarkerMissing",
            Self::NoMarker { older: true, .. } => "MarkerOlder",
            Self::TooLarge => "TooLarge",
            Self::Imported { .. } => "Imported",
            Self::Held => "Held",
            Self::Failed => "Failed",
            Self::Outdated(_) => "Outdated",
            Self::Older(_) => "Older",
            Self::Waits(_) => "Waits",
            Self::Later(_) => "Later",
            Self::Before => "Before",
        }
    }

    fn words(&self, take: &Take) -> String {
        match self {
            Self::Folder => "a folder".to_owned(),
            Self::NoFile => "a link, or no regular file".to_owned(),
            Self::OtherName => format!("its name doesn't match `{}`", take.files),
            Self::Marker(name) => format!("the marker of {name}"),
            Self::PartialUpload => "named like an upload under way".to_owned(),
            Self::NoMarker { marker, older: false } => format!("its marker {marker} is not there"),
            Self::NoMarker { marker, older: true } => format!("its marker {marker} is older than it"),
            Self::TooLarge => format!("larger than `maxSize` ({})", bytes(take.max_size)),
            Self::Imported { run, at } => format!("imported {} by run {run}", at.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Self::Held => "held by a safeguard, until its run is approved, or it or the spec changes".to_owned(),
            Self::Failed => "a run failed because of it; taken again when it or the spec changes".to_owned(),
            Self::Outdated(last) => format!("older than {last}, which was imported last (`select: Newest`)"),
            Self::Older(newest) => format!("older than {newest} (`select: Newest`)"),
            Self::Waits(held) => format!("waits behind {held}, which is held"),
            Self::Later(taken) => format!("comes after {taken}"),
            Self::Before => "the run before took it, or a later one".to_owned(),
        }
    }
}

/// What becomes of each name after this choice: candidates in their order, then other files, then the rest, by name.
pub fn judge(view: &View<'_>, choice: &Choice) -> Vec<Judged> {
    let candidates = Candidates::new(view.listing, view.take);
    let known = Known::new(view, choice, &candidates);
    let (mut matching, mut others) = (Vec::new(), Vec::new());
    for listed in view.listing {
        match candidates.passed(listed) {
            Some(passed) => others.push((listed, passed)),
            None => matching.push((listed, known.verdict(listed))),
        }
    }
    let outdated = |listed| (listed, Verdict::Passed(Passed::Outdated(view.outdated.1.to_owned())));
    matching.extend(view.outdated.0.iter().map(outdated));
    matching.sort_by_key(|(listed, _)| (listed.mtime, &listed.name));
    let waiting =
        others.iter().filter(|(_, passed)| matches!(passed, Passed::NoMarker { .. })).map(|(listed, _)| *listed);
    let marked = matching.iter().map(|(listed, _)| *listed).chain(waiting);
    let markers: HashMap<String, &str> =
        marked.filter_map(|listed| Some((candidates.marker(&listed.name)?, listed.name.as_str()))).collect();
    others.sort_by_key(|(listed, passed)| (matches!(passed, Passed::Folder | Passed::NoFile), &listed.name));
    let others = others.into_iter().map(|(listed, passed)| {
        let marked = markers.get(&listed.name).filter(|_| passed == Passed::OtherName);
        (listed, Verdict::Passed(marked.map_or(passed, |name| Passed::Marker((*name).to_owned()))))
    });
    let judged = |(listed, verdict): (&Listed, Verdict)| Judged { listed: listed.clone(), verdict };
    matching.into_iter().chain(others).map(judged).collect()
}

/// What is known of candidates.
struct Known<'a> {
    view: &'a View<'a>,
    choice: &'a Choice,
    imported: HashMap<&'a Stamp, &'a LedgerRow>,
    tried: HashMap<&'a Stamp, bool>,
    /// The newest candidate's name.
    newest: &'a str,
}

impl<'a> Known<'a> {
    fn new(view: &'a View<'a>, choice: &'a Choice, candidates: &Candidates<'_>) -> Self {
        let counts = |row: &&LedgerRow| view.due.is_none_or(|(spec, _)| row.spec == spec);
        let mut tried: HashMap<&Stamp, bool> = HashMap::new();
        for one in view.due.into_iter().flat_map(|(_, tried)| tried) {
            *tried.entry(&one.file).or_default() |= one.held;
        }
        let imported = view.imported.iter().filter(counts).map(|row| (&row.file, row)).collect();
        let matching = view.listing.iter().filter(|listed| candidates.passed(listed).is_none());
        let newest = matching.max_by_key(|listed| (listed.mtime, &listed.name)).map_or("", |listed| &listed.name);
        Self { view, choice, imported, tried, newest }
    }

    fn verdict(&self, listed: &Listed) -> Verdict {
        let stamp = Stamp::from(listed);
        match self.choice {
            Choice::Take(taken) if *taken == stamp => Verdict::Taken { known: false, again: self.view.again },
            Choice::Again(taken) if *taken == stamp => Verdict::Taken { known: true, again: self.view.again },
            _ => Verdict::Passed(self.passed(listed, &stamp)),
        }
    }

    fn passed(&self, listed: &Listed, stamp: &Stamp) -> Passed {
        let order = |stamp: &Stamp| (stamp.mtime, stamp.name.clone());
        if self.view.after.is_some_and(|after| order(stamp) <= order(after)) {
            return Passed::Before;
        }
        if let Some(row) = self.imported.get(stamp) {
            return Passed::Imported { run: row.run.clone(), at: row.committed };
        }
        match self.tried.get(stamp) {
            Some(true) => return Passed::Held,
            Some(false) => return Passed::Failed,
            None => {}
        }
        if listed.size > self.view.take.max_size {
            return Passed::TooLarge;
        }
        match self.choice {
            Choice::Waits(held) if self.view.take.select != Select::Newest => Passed::Waits(held.name.clone()),
            Choice::Take(taken) | Choice::Again(taken) if self.view.take.select != Select::Newest => {
                Passed::Later(taken.name.clone())
            }
            _ => Passed::Older(self.newest.to_owned()),
        }
    }
}

//! Look: list the folder and choose a file.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use super::outcome::{Record, RunError};
use crate::{
    api::Select,
    model::{
        file::{Listed, ListedKind, Stamp},
        job::{Job, SourceJob, SyncJob, Take},
        ledger::LedgerRow,
        progress::{Progress, Step},
        report::{FileReport, Looked, LookedName},
        sync::{Candidate, Tried},
    },
    ports::{Ports, Source, StoreError, UserStore},
    sync::choose::{Candidates, Choice, Judged, View, choose, choose_approved, choose_due, judge},
};

/// So many names of the folder are in the report of a run that found no file.
const LOOKED: usize = 100;

/// A file to fetch.
pub(super) struct Chosen {
    pub stamp: Stamp,
    /// When it was seen first: a second look must find it unchanged `stableFor` later.
    pub seen: Instant,
    /// It was seen before, and has not changed for `stableFor` since.
    pub settled: bool,
}

/// Lists the folder and chooses. None: there is nothing to take, and the record says why.
pub(super) async fn look(job: &Job, ports: &Ports, record: &mut Record) -> Result<Option<Chosen>, RunError> {
    ports.watch.at(Progress { step: Step::Look, done: 0, of: None });
    let folder = Folder::list(&*ports.source).await?;
    let seen = folder.seen;
    let place = ports.source.location();
    let take = &job.sync.take;
    record.last = ports.store.last(&job.sync.sync).await?;
    let view = folder.known(&job.sync, &*ports.store, record.last.as_ref()).await?;
    let choice = view.choose(job);
    record.looked = view.looked(job, &choice);
    let stamp = match choice {
        Choice::Take(stamp) | Choice::Again(stamp) => stamp,
        Choice::TooLarge(stamp) => {
            note(record, &stamp);
            return Err(RunError::TooLarge(format!(
                "{} in {place} has {} bytes; `source.maxSize` allows {}. It was not opened: raise `maxSize`, or send a smaller file",
                stamp.name, stamp.size, take.max_size
            )));
        }
        Choice::Waits(stamp) => {
            record.nothing = Some(format!(
                "{} in {place} is held: later files wait until its run is approved, or until the file or the spec changes",
                stamp.name
            ));
            return Ok(None);
        }
        Choice::Nothing => {
            record.nothing = Some(view.nothing(job, &place));
            return Ok(None);
        }
    };
    record.more = view.more(job, &stamp);
    note(record, &stamp);
    let settled = job.settled.as_ref() == Some(&stamp);
    Ok(Some(Chosen { stamp, seen, settled }))
}

/// The file that a scheduled run would take now, one that it would fail on included. The store is opened only if the folder
/// has anything that could be taken.
pub async fn sight<S: AsRef<dyn UserStore>>(
    job: &SyncJob,
    source: &dyn Source,
    store: impl AsyncFnOnce() -> S,
    tried: &[Tried],
) -> Result<Option<Candidate>, RunError> {
    let folder = Folder::list(source).await?;
    if folder.files(&job.take).is_empty() {
        return Ok(None);
    }
    let store = store().await;
    let store = store.as_ref();
    let last = match job.take.select {
        Select::Newest => store.last(&job.sync).await?,
        Select::Oldest | Select::All => None,
    };
    let view = folder.known(job, store, last.as_ref()).await?;
    Ok(match choose_due(&view.listing, &job.take, &view.imported, &job.spec_digest, tried) {
        Choice::Take(file) | Choice::Again(file) | Choice::TooLarge(file) => {
            Some(Candidate { settled: old_enough(job, &file), file })
        }
        Choice::Waits(_) | Choice::Nothing => None,
    })
}

/// What the folder holds.
#[derive(Clone)]
pub(super) struct Folder {
    listing: Vec<Listed>,
    /// When it was listed.
    seen: Instant,
}

/// The same beside what the ledger says of it.
pub(super) struct Known {
    listing: Vec<Listed>,
    imported: Vec<LedgerRow>,
    /// The file imported last, and the older ones that were left out because of it.
    outdated: Option<(String, Vec<Listed>)>,
}

impl Folder {
    pub async fn list(source: &dyn Source) -> Result<Self, RunError> {
        let listing = source.list().await?;
        // Not before: connecting and listing take their time, and the second look must come that much later.
        Ok(Self { listing, seen: Instant::now() })
    }

    pub fn files(&self, take: &Take) -> Vec<Stamp> {
        files(&self.listing, take)
    }

    pub async fn known(
        self,
        job: &SyncJob,
        store: &dyn UserStore,
        last: Option<&LedgerRow>,
    ) -> Result<Known, StoreError> {
        let mut listing = self.listing;
        let outdated = outdated(&job.take, last, &mut listing);
        let files = files(&listing, &job.take);
        let mut imported = store.imported(&job.sync, &files).await?;
        let of_days = days(job, &files, &imported);
        if !of_days.is_empty() {
            // Behind the others: they are older.
            for row in store.imported_on_day(&job.sync, &of_days).await? {
                let same = |file: &&Stamp| file.name == row.file.name && file.size == row.file.size;
                let file = of_days.iter().filter(same).find(|file| day(file) == day(&row.file));
                imported.extend(file.map(|file| LedgerRow { file: file.clone(), ..row.clone() }));
            }
        }
        Ok(Known { listing, imported, outdated })
    }

    /// As far as it goes without the ledger.
    pub fn unknown(self) -> Known {
        Known { listing: self.listing, imported: Vec::new(), outdated: None }
    }
}

impl Known {
    pub fn choose(&self, job: &Job) -> Choice {
        let take = &job.sync.take;
        let held = job.approval.as_ref().and_then(|approval| approval.held.as_ref()?.file.as_ref());
        if let Some(approved) = held.and_then(|file| choose_approved(&self.listing, take, file)) {
            return approved;
        }
        match &job.tried {
            Some(tried) => choose_due(&self.listing, take, &self.imported, &job.sync.spec_digest, tried),
            None => choose(&self.listing, take, &self.imported, job.after.as_ref()),
        }
    }

    /// What becomes of each name after this choice.
    pub fn judged(&self, job: &Job, choice: &Choice) -> Vec<Judged> {
        let wait = job.sync.take.stable_for;
        let again = match choice {
            Choice::Take(stamp) | Choice::Again(stamp) if !old_enough(&job.sync, stamp) => Some(wait),
            _ => None,
        };
        let view = View {
            listing: &self.listing,
            outdated: self.outdated.as_ref().map_or((&[], ""), |(last, files)| (files, last)),
            take: &job.sync.take,
            imported: &self.imported,
            due: job.tried.as_ref().map(|tried| (job.sync.spec_digest.as_str(), tried.as_slice())),
            after: job.after.as_ref(),
            again: again.filter(|wait| !wait.is_zero()),
        };
        judge(&view, choice)
    }

    /// The same for the report, as far as it has room.
    fn looked(&self, job: &Job, choice: &Choice) -> Looked {
        let judged = self.judged(job, choice);
        let more = judged.len().saturating_sub(LOOKED) as u64;
        let names = judged.into_iter().take(LOOKED).map(|Judged { listed, verdict }| LookedName {
            name: listed.name,
            // What a folder's entry takes on the server's disk says nothing.
            size: if listed.kind == ListedKind::Folder { 0 } else { listed.size },
            mtime: listed.mtime,
            reason: verdict.code().to_owned(),
            why: verdict.words(&job.sync.take),
        });
        Looked { names: names.collect(), more }
    }

    /// Whether there is another file to take behind this one.
    fn more(&self, job: &Job, stamp: &Stamp) -> bool {
        let take = &job.sync.take;
        let next = match &job.tried {
            Some(tried) => {
                let this = Tried { file: stamp.clone(), held: false };
                let tried = [tried.as_slice(), &[this]].concat();
                choose_due(&self.listing, take, &self.imported, &job.sync.spec_digest, &tried)
            }
            None => choose(&self.listing, take, &self.imported, Some(stamp)),
        };
        matches!(next, Choice::Take(_))
    }

    /// Why there is nothing to take.
    fn nothing(&self, job: &Job, place: &str) -> String {
        let take = &job.sync.take;
        if let Some((last, _)) = &self.outdated {
            return format!("no file in {place} is newer than {last}, which was imported last (`select: Newest`)");
        }
        match files(&self.listing, take).len() {
            0 => {
                let names = if self.listing.len() == 1 { "name" } else { "names" };
                format!("no file in {place} matches `{}` ({} {names} there)", take.files, self.listing.len())
            }
            known => format!(
                "no file in {place} is new: {known} {} `{}`, imported already or tried in vain as the spec is now",
                if known == 1 { "matches" } else { "match" },
                take.files
            ),
        }
    }
}

fn files(listing: &[Listed], take: &Take) -> Vec<Stamp> {
    let candidates = Candidates::new(listing, take);
    listing.iter().filter(|listed| candidates.passed(listed).is_none()).map(Stamp::from).collect()
}

/// An FTP server that knows LIST alone says the time of a file for about six months, and then no more than its day.
const DAYS_OF_TIMES: i64 = 150;

/// Files that are not known, and of which the source may not say the time any more that they were imported with.
fn days(job: &SyncJob, files: &[Stamp], imported: &[LedgerRow]) -> Vec<Stamp> {
    if !matches!(job.source, SourceJob::Ftp(_)) {
        return Vec::new();
    }
    let known: HashSet<&Stamp> = imported.iter().map(|row| &row.file).collect();
    let old = Timestamp::now() - SignedDuration::from_hours(24 * DAYS_OF_TIMES);
    let begins = |file: &Stamp| Timestamp::from_second(day(file) * DAY).is_ok_and(|begin| begin == file.mtime);
    files.iter().filter(|file| file.mtime < old && begins(file) && !known.contains(file)).cloned().collect()
}

const DAY: i64 = 24 * 60 * 60;

/// The day of its modification, counted from 1970 on.
fn day(file: &Stamp) -> i64 {
    file.mtime.as_second().div_euclid(DAY)
}

/// With `select: Newest`, leaves out what is older than the file imported last, wherever that is now: it would bring back
/// what was. Some: there was such a file: the name of the last one, and what was left out.
fn outdated(take: &Take, last: Option<&LedgerRow>, listing: &mut Vec<Listed>) -> Option<(String, Vec<Listed>)> {
    let last = &last.filter(|_| take.select == Select::Newest)?.file;
    let all = listing.clone();
    let candidates = Candidates::new(&all, take);
    let new = |listed: &Listed| (listed.mtime, &listed.name) >= (last.mtime, &last.name);
    let left: Vec<Listed> =
        listing.extract_if(.., |listed| !new(listed) && candidates.passed(listed).is_none()).collect();
    (!left.is_empty()).then(|| (last.name.clone(), left))
}

/// A folder of this machine shares our clock: an old modification time says that the file stands still.
pub(super) fn old_enough(job: &SyncJob, stamp: &Stamp) -> bool {
    let age = Timestamp::now().duration_since(stamp.mtime);
    matches!(job.source, SourceJob::Directory { .. })
        && Duration::try_from(age).is_ok_and(|age| age >= job.take.stable_for)
}

fn note(record: &mut Record, stamp: &Stamp) {
    record.file =
        Some(FileReport { name: stamp.name.clone(), size: stamp.size, sha256: None, rows: None, correction: false });
    record.stamp = Some(stamp.clone());
}

//! Look: list the folder and choose a file.

use super::outcome::{Record, RunError};
use crate::{
    api::Select,
    model::{
        file::{Listed, Stamp},
        job::{Job, Take},
        ledger::LedgerRow,
        progress::{Progress, Step},
        report::FileReport,
    },
    ports::Ports,
    sync::choose::{Candidates, Choice, choose},
};

/// A file to fetch.
pub(super) struct Chosen {
    pub stamp: Stamp,
    /// When it was seen first: a second look must find it unchanged `stableFor` later.
    pub seen: std::time::Instant,
}

/// Lists the folder and chooses. None: there is nothing to take, and the record says why.
pub(super) async fn look(job: &Job, ports: &Ports, record: &mut Record) -> Result<Option<Chosen>, RunError> {
    ports.watch.at(Progress { step: Step::Look, done: 0, of: None });
    let mut listing = ports.source.list().await?;
    // Not before: connecting and listing take their time, and the second look must come that much later.
    let seen = std::time::Instant::now();
    let take = &job.sync.take;
    record.last = ports.store.last(&job.sync.sync).await?;
    let outdated = outdated(take, record.last.as_ref(), &mut listing);
    let candidates = Candidates::new(&listing, take);
    let files: Vec<_> = listing.iter().filter(|l| candidates.passed(l).is_none()).map(Stamp::from).collect();
    let imported = ports.store.imported(&job.sync.sync, &files).await?;
    let stamp = match choose(&listing, take, &imported, job.after.as_ref()) {
        Choice::Take(stamp) | Choice::Again(stamp) => stamp,
        Choice::TooLarge(stamp) => {
            note(record, &stamp);
            return Err(RunError::TooLarge(format!(
                "{} in {} has {} bytes; `source.maxSize` allows {}. It was not opened: raise `maxSize`, or send a smaller file",
                stamp.name,
                ports.source.location(),
                stamp.size,
                take.max_size
            )));
        }
        Choice::Nothing => {
            let place = ports.source.location();
            record.nothing = Some(match outdated {
                Some(last) => {
                    format!("no file in {place} is newer than {last}, which was imported last (`select: Newest`)")
                }
                None => format!("no file in {place} matches `{}` ({} names there)", take.files, listing.len()),
            });
            return Ok(None);
        }
    };
    record.more = matches!(choose(&listing, take, &imported, Some(&stamp)), Choice::Take(_));
    note(record, &stamp);
    Ok(Some(Chosen { stamp, seen }))
}

/// With `select: Newest`, leaves out what is older than the file imported last, wherever that is now: it would bring back
/// what was. Some: there was such a file, and this is the name of the last one.
fn outdated(take: &Take, last: Option<&LedgerRow>, listing: &mut Vec<Listed>) -> Option<String> {
    let last = &last.filter(|_| take.select == Select::Newest)?.file;
    let all = listing.clone();
    let candidates = Candidates::new(&all, take);
    let new = |listed: &Listed| (listed.mtime, &listed.name) >= (last.mtime, &last.name);
    listing.retain(|listed| new(listed) || candidates.passed(listed).is_some());
    (listing.len() < all.len()).then(|| last.name.clone())
}

fn note(record: &mut Record, stamp: &Stamp) {
    record.file = Some(FileReport { name: stamp.name.clone(), size: stamp.size, sha256: None, rows: None });
    record.stamp = Some(stamp.clone());
}

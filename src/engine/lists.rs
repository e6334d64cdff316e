//! `changes.csv.gz` and `records.jsonl.gz`: what was planned or applied, user by user. Users who are added while the file is read
//! are packed meanwhile.

use std::{io, path::Path};

use super::{compared::Compared, outcome::Record, packing::Lists, read::FileRows, spool};
use crate::{
    api::Action,
    model::{job::Job, plan::Layout},
    sync::{diff::FileSide, render::html::ChangeRows},
};

/// Writes both lists, the sample and the first changes for the page: removals, changes, added users. Nothing where nobody changed.
pub(super) fn write(
    job: &Job,
    spool: &Path,
    layout: &Layout,
    file: &mut FileRows,
    compared: &mut Compared,
    record: &mut Record,
) -> io::Result<ChangeRows> {
    let counts = compared.figures().counts;
    let packed = compared.packed.take();
    if counts.added + counts.updated + counts.removed == 0 {
        return Ok(ChangeRows::default());
    }
    // They come last: with anybody before them, or without one of them, all is packed anew.
    let lists = match packed.filter(|lists| counts.updated + counts.removed == 0 && lists.len() == counts.added) {
        Some(lists) => lists,
        None => {
            let mut lists = Lists::begin(spool, layout)?;
            read(job, file, compared, &mut lists)?;
            lists
        }
    };
    let (sample, first) = lists.finish(&spool::report(spool))?;
    record.sample.changes = sample;
    Ok(first)
}

/// Every user who changed, in the lists' order.
fn read(job: &Job, file: &mut FileRows, compared: &Compared, lists: &mut Lists) -> io::Result<()> {
    for (kind, spill) in &compared.plan.changes {
        let mut planned = spill.read()?;
        while let (place, Some(change)) = (planned.place(), planned.next().transpose()?) {
            if !compared.not_changed.contains(&(*kind, place)) {
                lists.changed(change);
            }
        }
    }
    if job.sync.action != Action::Delete {
        let FileSide { index, users, .. } = &mut file.side;
        for (_, place) in index.unseen().filter(|(user, _)| !compared.not_added.contains(user)) {
            lists.added(users.key(place)?, place.line.into());
        }
    }
    Ok(())
}

//! Compare: read the table, and set aside what would change.

use futures::{TryStreamExt, stream::BoxStream};

use super::{
    adding::{Adding, Begun},
    compared::{BATCH, Compared},
    later::Later,
    lookup,
    outcome::{Record, RunError},
    read::{FileRows, NewUser, Reading},
    spool::scratch,
};
use crate::{
    api::Action,
    model::{
        job::{Job, Removal},
        ledger::Fence,
        plan::Layout,
        progress::{Progress, Step},
        reject::RejectCode,
        rows::{Row, Rows},
    },
    ports::{Ports, StoreError},
    sync::{
        batches::Batch,
        diff::{Comparison, Deactivated},
        digest::by_collation,
    },
};

/// Reads the table and compares each user. The first time the file is read beside it: each of the two takes its time, and they
/// have a processor each. For a small file, read before, its users alone are looked up in a table that is far larger.
///
/// Where the table has nobody, there is nothing to compare: an import (it has a `fence`) begins to add the users while the file is
/// still being read. Then that transaction comes with it.
pub(super) async fn compare(
    job: &Job,
    ports: &Ports,
    fence: Option<&Fence>,
    layout: &Layout,
    file: &mut FileRows,
    record: &mut Record,
) -> Result<(Compared, Option<Begun>), RunError> {
    let deactivated = deactivated(job, ports, layout, file).await?;
    let spool = file.spool.clone();
    let scratch = move || scratch(&spool);
    let rules = file.rules.clone();
    let mut comparison = Comparison::new(&rules, layout, &deactivated, &scratch);
    file.side.index.forget_seen();
    let mut reading = file.begin();
    let (mut table, mut looked_up) = (None, false);
    let mut later = Later::new(layout.columns.len(), &scratch);
    let (mut done, mut ended) = (0, false);
    let fence = fence.filter(|_| job.sync.action != Action::Delete && job.sync.target.scope.is_empty());
    let mut adding = Adding::Not;
    while reading.is_some() || !ended {
        // A small file is read first: it says for whom to look.
        if table.is_none() && (file.side.whole || !lookup::may_do(job, file)) {
            looked_up = lookup::worth_it(job, ports, layout, file).await?;
            table = Some(match looked_up {
                true => lookup::users(job, ports, layout, lookup::keys(file)?),
                false => ports.store.scan(layout, &job.sync.target.scope, None).await?,
            });
        }
        // Rows of the table that come before the file has said something of them would have to be set aside.
        let ahead = reading.is_none() || done + AHEAD <= u64::from(file.side.index.len());
        tokio::select! {
            biased;
            batch = next_batch(&mut reading), if reading.is_some() => match (batch?, &reading) {
                (Some(batch), Some(reading)) => {
                    let (new, batch) = take(ports, layout, file, batch, reading).await?;
                    adding.add(file, &new, batch.inserted.as_ref()).await?;
                }
                _ => {
                    reading = None;
                    file.ended(record);
                    record.lap(Step::Read);
                }
            },
            batch = next_rows(&mut table), if table.is_some() && !ended && ahead => match batch? {
                None => {
                    ended = true;
                    if let (0, Some(fence), Some(reading)) = (done, fence, &reading) {
                        adding = Adding::begin(job, ports, fence, layout, file).await?;
                        reading.want_rows();
                    }
                }
                Some(batch) => {
                    done += batch.len() as u64;
                    let forms = key_forms(ports, layout, &batch).await?;
                    tokio::task::block_in_place(|| batch.iter().enumerate().try_for_each(|(at, row)| {
                        let form = form(row, forms.as_ref(), at);
                        if comparison.row(&mut file.side, row, form)? { Ok(()) } else { later.push(row, form) }
                    }))?;
                    if reading.is_none() {
                        ports.watch.at(Progress { step: Step::Compare, done, of: None });
                    }
                }
            },
        }
    }
    drop(table);
    let mut begun = adding.end().await?;
    let mut plan = tokio::task::block_in_place(|| {
        later.read(|row, form| comparison.row(&mut file.side, row, form).map(drop))?;
        comparison.finish(&file.side, file.figures)
    })?;
    if looked_up {
        plan.figures.active = lookup::active(job, ports, layout, &plan.figures).await?;
    }
    if let Some(key) = &plan.twice {
        let key = if layout.columns[0].sensitive { "•••" } else { key };
        return Err(RunError::Table(vec![format!(
            "two rows of table {} are the same user by their match key ({key}), written in different ways or unique only \
             beside another column: remove one of them, and see that \"{}\" has a unique index of its own",
            job.sync.target.table,
            layout.key().name
        )]));
    }
    let mut compared = Compared::new(plan, scratch()?);
    compared.packed = begun.as_mut().and_then(|begun| begun.packed.take());
    outside(job, ports, layout, file, &mut compared).await?;
    record.counts = compared.figures().counts;
    Ok((compared, begun))
}

/// Takes in what was read, and says who is new in the file.
async fn take(
    ports: &Ports,
    layout: &Layout,
    file: &mut FileRows,
    mut batch: Batch,
    reading: &Reading,
) -> Result<(Vec<NewUser>, Batch), RunError> {
    let forms = match &batch.keys {
        Some(keys) => Some(ports.store.key_forms(layout, keys).await?),
        None => None,
    };
    // Computation: it may hold this thread, not the runtime.
    let take = || file.take(&mut batch, forms.as_ref(), reading, &*ports.watch);
    let new = tokio::task::block_in_place(take)?;
    Ok((new, batch))
}

/// The file is to be so many users ahead of the table.
const AHEAD: u64 = 16_384;

async fn next_batch(reading: &mut Option<Reading>) -> Result<Option<Batch>, RunError> {
    match reading {
        Some(reading) => reading.next().await,
        None => Ok(None),
    }
}

async fn next_rows(table: &mut Option<BoxStream<'_, Result<Rows, StoreError>>>) -> Result<Option<Rows>, StoreError> {
    match table {
        Some(table) => table.try_next().await,
        None => Ok(None),
    }
}

/// The forms in which the index has these rows' keys, where a collation compares them.
async fn key_forms(ports: &Ports, layout: &Layout, rows: &Rows) -> Result<Option<Rows>, StoreError> {
    if !by_collation(layout) {
        return Ok(None);
    }
    let mut keys = Rows::new(1);
    rows.iter().for_each(|row| keys.push(row.get(0)));
    ports.store.key_forms(layout, &keys).await.map(Some)
}

fn form<'a>(row: Row<'a>, forms: Option<&'a Rows>, at: usize) -> Option<&'a str> {
    forms.map_or_else(|| row.get(0), |forms| forms.row(at).get(0))
}

/// Whom the sync deactivated, where that matters.
async fn deactivated(job: &Job, ports: &Ports, layout: &Layout, file: &FileRows) -> Result<Deactivated, RunError> {
    let mut found = Deactivated::new();
    if let Removal::Deactivate { .. } = job.sync.removal {
        let mut batches = ports.store.deactivated(&job.sync.sync).await?;
        while let Some(batch) = batches.try_next().await? {
            let forms = key_forms(ports, layout, &batch).await?;
            for (at, row) in batch.iter().enumerate() {
                let seconds = row.get(1).and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
                let key = form(row, forms.as_ref(), at).unwrap_or_default();
                found.insert(file.side.index.key_digest(key), seconds);
            }
        }
    }
    Ok(found)
}

/// Refuses new users whose key a row outside the scope holds.
async fn outside(
    job: &Job,
    ports: &Ports,
    layout: &Layout,
    file: &mut FileRows,
    compared: &mut Compared,
) -> Result<(), RunError> {
    let scope = &job.sync.target.scope;
    if scope.is_empty() || compared.plan.figures.counts.added == 0 {
        return Ok(());
    }
    let side = &mut file.side;
    let mut unseen = side.index.unseen();
    loop {
        let batch: Vec<_> = unseen.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let mut keys = Rows::new(1);
        for (_, place) in &batch {
            keys.push(Some(side.users.key(*place)?));
        }
        for at in ports.store.outside(layout, scope, &keys).await? {
            let (user, place) = batch[at];
            let message =
                "a user outside this sync's `target.scope` has this id already: correct the id, or have that \
                           user moved"
                    .to_owned();
            let hide = layout.columns[0].sensitive;
            let key = side.users.key(place)?;
            compared.refuse_added(user, place, key, RejectCode::KeyOutsideScope, message, hide)?;
        }
    }
}

//! Lookups: of a table that is far larger than the file, only the file's users are read, by the index of their key.

use futures::{StreamExt, TryStreamExt, stream::BoxStream};

use super::read::FileRows;
use crate::{
    api::Action,
    model::{
        job::{Job, Removal},
        plan::Layout,
        rows::Rows,
    },
    ports::{Ports, StoreError},
    sync::guard::{Figures, enough},
};

/// The largest file, in bytes, that is read to its end before the table is looked at.
const SMALL: u64 = 4 << 20;
/// The most users that are looked up.
const MOST: u32 = 20_000;
/// A table is far larger if it has so many times the users of the file: reading one user by the index costs about as much as
/// reading so many one after the other.
const TIMES: u64 = 8;
/// Users looked up at once: see [`crate::ports::UserStore::scan`].
const AT_ONCE: usize = 10_000;

/// Whether it is all that the sync needs to know: nobody else's absence means anything, and nobody is deactivated.
pub(super) fn may_do(job: &Job, file: &FileRows) -> bool {
    job.sync.action != Action::Mirror && matches!(job.sync.removal, Removal::Delete) && file.size <= SMALL
}

/// Whether the file is read, and it takes less than reading the table.
pub(super) async fn worth_it(job: &Job, ports: &Ports, layout: &Layout, file: &FileRows) -> Result<bool, StoreError> {
    let users = file.side.index.len();
    if !file.side.whole || !may_do(job, file) || users > MOST {
        return Ok(false);
    }
    let far_larger = u64::from(users) * TIMES + 1;
    Ok(ports.store.count(layout, &job.sync.target.scope, Some(far_larger)).await? == far_larger)
}

/// The match keys of the file's users, as they are looked up.
pub(super) fn keys(file: &mut FileRows) -> std::io::Result<Vec<Rows>> {
    tokio::task::block_in_place(|| {
        let side = &mut file.side;
        let mut batches: Vec<Rows> = Vec::new();
        for (_, place) in side.index.unseen() {
            if batches.last().is_none_or(|batch| batch.len() >= AT_ONCE) {
                batches.push(Rows::new(1));
            }
            let key = side.users.key(place)?;
            batches.iter_mut().last().into_iter().for_each(|batch| batch.push(Some(key)));
        }
        Ok(batches)
    })
}

/// The users with these keys.
pub(super) fn users<'a>(
    job: &'a Job,
    ports: &'a Ports,
    layout: &'a Layout,
    keys: Vec<Rows>,
) -> BoxStream<'a, Result<Rows, StoreError>> {
    let users = move |keys: Rows| async move { ports.store.scan(layout, &job.sync.target.scope, Some(&keys)).await };
    futures::stream::iter(keys).then(users).try_flatten().boxed()
}

/// How many active users there are, as far as the safeguards want to know: a message names their number only if it is too small.
pub(super) async fn active(job: &Job, ports: &Ports, layout: &Layout, figures: &Figures) -> Result<u64, StoreError> {
    match enough(figures, &job.sync.safeguards) {
        Some(0) => Ok(0),
        most => ports.store.count(layout, &job.sync.target.scope, most).await,
    }
}

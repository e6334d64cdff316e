//! Adding: users are added while their file is still being read, by a task of its own: the database is at work on some while the
//! next are read.

use std::io;

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    compared::{BATCH, BATCH_SIZE},
    outcome::RunError,
    packing::Lists,
    read::{FileRows, NewUser},
};
use crate::{
    model::{job::Job, ledger::Fence, plan::Layout, rows::Rows},
    ports::{Apply, Ports, StoreError},
    sync::{
        diff::FileSide,
        index::{Place, UserRef},
        users::FileUsers,
    },
};

/// Batches that wait for the database: it is at work on one, and another is being read.
const AHEAD: usize = 1;

/// Whether users are added while the file is still being read.
pub(super) enum Adding {
    Not,
    At(Box<Adder>),
    /// Somebody else began to add users as well: once the file is read, all is compared.
    Overtaken(String),
}

/// A transaction in which users were added already.
pub(super) struct Begun {
    pub transaction: Box<dyn Apply>,
    /// How many users were handed over.
    pub done: u64,
    /// Those of them whom the database refused.
    pub refused: Vec<(UserRef, Place)>,
    /// The users of the file up to that number were handed over.
    pub upto: u32,
    /// All of them in the report's lists.
    pub packed: Option<Lists>,
}

impl Begun {
    /// Nobody was added.
    pub fn nothing(transaction: Box<dyn Apply>) -> Self {
        Self { transaction, done: 0, refused: Vec::new(), upto: 0, packed: None }
    }
}

impl Adding {
    /// Begins with those who are known by now: the table has nobody, so there is nothing to be done but to add users.
    pub async fn begin(
        job: &Job,
        ports: &Ports,
        fence: &Fence,
        layout: &Layout,
        file: &mut FileRows,
    ) -> Result<Self, RunError> {
        let transaction = match ports.store.begin(fence, layout, &job.sync.target.scope).await {
            Err(StoreError::Stale(why)) => return Ok(Self::Overtaken(why)),
            begun => begun?,
        };
        let mut adding = Self::At(Box::new(Adder::begin(transaction, layout, Lists::begin(&file.spool, layout)?)));
        adding.add(file, &[], None).await?;
        Ok(adding)
    }

    /// Goes on with users who are new in the file, if it has begun; `rows` are those of the batch that they are of, where it has
    /// them.
    pub async fn add(&mut self, file: &mut FileRows, new: &[NewUser], rows: Option<&Rows>) -> Result<(), RunError> {
        let Self::At(adder) = self else { return Ok(()) };
        let goes_on = match rows {
            Some(rows) => adder.take(file, new, rows).await,
            None => adder.unseen(file).await?,
        };
        if !goes_on && let Self::At(adder) = std::mem::replace(self, Self::Not) {
            *self = match adder.end().await {
                Err(StoreError::Stale(why)) => Self::Overtaken(why),
                Err(error) => return Err(error.into()),
                Ok(_) => return Err(StoreError::Failed("users were not added, for no reason".to_owned()).into()),
            };
        }
        Ok(())
    }

    /// The file is read: the transaction, if there is one.
    pub async fn end(self) -> Result<Option<Begun>, RunError> {
        match self {
            Self::Not => Ok(None),
            Self::At(adder) => Ok(Some(adder.end().await?)),
            Self::Overtaken(why) => Err(StoreError::Stale(why).into()),
        }
    }
}

/// Users to be added at once.
#[derive(Default)]
struct Users {
    users: Vec<(UserRef, Place)>,
    rows: Rows,
}

/// Hands users to the task that adds them. Dropped, the task ends and its transaction is undone.
pub(super) struct Adder {
    layout: Layout,
    batches: mpsc::Sender<Users>,
    task: AbortOnDropHandle<Result<Begun, StoreError>>,
    waiting: Users,
    /// The report's lists of those who are handed over.
    lists: Lists,
    /// The users of the file up to that number are handed over, or wait for it.
    upto: u32,
}

impl Adder {
    fn begin(transaction: Box<dyn Apply>, layout: &Layout, lists: Lists) -> Self {
        let (batches, waiting) = mpsc::channel(AHEAD);
        let task = AbortOnDropHandle::new(tokio::spawn(add(transaction, waiting)));
        let (layout, waiting) = (layout.clone(), Users::default());
        let mut adder = Self { layout, batches, task, waiting, lists, upto: 0 };
        adder.waiting = adder.nobody();
        adder
    }

    fn nobody(&self) -> Users {
        Users { users: Vec::new(), rows: Rows::new(self.layout.insert_columns().count()) }
    }

    /// Users of a batch that was just read. False: the task has ended.
    async fn take(&mut self, file: &FileRows, new: &[NewUser], rows: &Rows) -> bool {
        for NewUser { user, place, number } in new {
            self.waiting.users.push((*user, *place));
            self.waiting.rows.push_row(rows.row(*number).cells());
        }
        self.upto = file.side.index.len();
        if self.waiting.users.len() < BATCH && self.waiting.rows.size() < BATCH_SIZE {
            return true;
        }
        self.flush().await
    }

    /// Users who are known and not handed over, read again from the file. False: the task has ended.
    async fn unseen(&mut self, file: &mut FileRows) -> Result<bool, RunError> {
        let from = self.upto;
        let FileSide { index, users: rows_again, .. } = &mut file.side;
        let mut unseen = index.unseen().filter(|(user, _)| user.number() >= from);
        loop {
            if !self.flush().await {
                return Ok(false);
            }
            let (users, rows) = next_users(&self.layout, rows_again, &mut unseen)?;
            if users.is_empty() {
                break;
            }
            self.waiting = Users { users, rows };
        }
        self.upto = index.len();
        Ok(true)
    }

    /// Hands over those who wait for it. False: the task has ended.
    async fn flush(&mut self) -> bool {
        if self.waiting.users.is_empty() {
            return !self.batches.is_closed();
        }
        tokio::task::block_in_place(|| {
            for ((_, place), row) in self.waiting.users.iter().zip(self.waiting.rows.iter()) {
                self.lists.added(row.get(0).unwrap_or_default(), place.line.into());
            }
        });
        let nobody = self.nobody();
        self.batches.send(std::mem::replace(&mut self.waiting, nobody)).await.is_ok()
    }

    /// Hands over the last ones, and waits for the task.
    async fn end(mut self) -> Result<Begun, StoreError> {
        self.flush().await;
        drop(self.batches);
        let begun =
            self.task.await.map_err(|defect| StoreError::Failed(format!("users were not added: {defect}")))??;
        Ok(Begun { upto: self.upto, packed: Some(self.lists), ..begun })
    }
}

/// Adds batch after batch.
async fn add(transaction: Box<dyn Apply>, mut batches: mpsc::Receiver<Users>) -> Result<Begun, StoreError> {
    let mut begun = Begun::nothing(transaction);
    while let Some(Users { users, rows }) = batches.recv().await {
        let refused = begun.transaction.add(&rows).await?;
        begun.refused.extend(refused.iter().map(|row| users[row.index]));
        begun.done += users.len() as u64;
    }
    Ok(begun)
}

/// The next users to add, as many as are written at once, and their rows.
pub(super) fn next_users(
    layout: &Layout,
    users: &mut FileUsers,
    who: &mut impl Iterator<Item = (UserRef, Place)>,
) -> io::Result<(Vec<(UserRef, Place)>, Rows)> {
    let mut batch = Vec::new();
    let mut rows = Rows::new(layout.insert_columns().count());
    while batch.len() < BATCH && rows.size() < BATCH_SIZE {
        let Some((user, place)) = who.next() else { break };
        let values = &users.user(place)?.values;
        rows.push_row(layout.insert_columns().map(|(at, _)| values[at].as_deref()));
        batch.push((user, place));
    }
    Ok((batch, rows))
}

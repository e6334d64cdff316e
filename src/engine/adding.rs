//! Adding: users are added while their file is still being read.

use super::{
    apply::Applying,
    outcome::RunError,
    read::{FileRows, NewUser},
};
use crate::{
    model::{job::Job, ledger::Fence, plan::Layout, rows::Rows},
    ports::{Ports, StoreError},
};

/// Whether users are added while the file is still being read.
pub(super) enum Adding {
    Not,
    At(Box<Applying>),
    /// Somebody else began to add users as well: once the file is read, all is compared.
    Overtaken(String),
}

impl Adding {
    /// Begins with those who are known by now.
    pub async fn begin(
        job: &Job,
        ports: &Ports,
        fence: &Fence,
        layout: &Layout,
        file: &mut FileRows,
    ) -> Result<Self, RunError> {
        Self::or_overtaken(
            Applying::early(job, ports, fence, layout, file).await.map(|begun| Self::At(Box::new(begun))),
        )
    }

    /// Goes on with a batch, if it has begun.
    pub async fn add(&mut self, file: &mut FileRows, new: &[NewUser], rows: Option<&Rows>) -> Result<(), RunError> {
        if let Self::At(applying) = self
            && let Err(error) = applying.add(file, new, rows).await
        {
            *self = Self::or_overtaken(Err(error))?;
        }
        Ok(())
    }

    fn or_overtaken(begun: Result<Self, RunError>) -> Result<Self, RunError> {
        match begun {
            Err(RunError::Store(StoreError::Stale(why))) => Ok(Self::Overtaken(why)),
            other => other,
        }
    }

    /// The file is read: the transaction, if there is one.
    pub fn end(self) -> Result<Option<Applying>, RunError> {
        match self {
            Self::Not => Ok(None),
            Self::At(applying) => Ok(Some(*applying)),
            Self::Overtaken(why) => Err(StoreError::Stale(why).into()),
        }
    }
}

//! The one transaction of a run, from outside.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{
    ledger, referring,
    transaction::Transaction,
    write::{Adding, Changing},
};
use crate::{
    model::{
        change::{Change, ChangeKind},
        ledger::LedgerRow,
        rows::Rows,
    },
    ports::{Apply, Refused, StoreError},
    store::{bisect::bisect, refused},
};

#[async_trait]
impl Apply for Transaction {
    async fn change(&mut self, kind: ChangeKind, changes: &[Change]) -> Result<Vec<Refused>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.lock(changes).await?;
        let mut changing = Changing::new(self, kind, changes).await?;
        let refused = bisect(&mut changing, changes.len()).await?;
        let put_back = changing.put_back;
        Ok(refused::changes(&self.layout, changes, refused, put_back))
    }

    async fn add(&mut self, users: &Rows) -> Result<Vec<Refused>, StoreError> {
        let mut refused = referring::to_nobody(self, users).await?;
        let absent: HashSet<usize> = refused.iter().map(|refused| refused.index).collect();
        let places: Vec<usize> = (0..users.len()).filter(|place| !absent.contains(place)).collect();
        let others = bisect(&mut Adding { transaction: self, users, places: &places }, places.len()).await?;
        let others = refused::adds(others);
        refused.extend(others.into_iter().map(|refused| Refused { index: places[refused.index], ..refused }));
        refused.sort_by_key(|refused| refused.index);
        Ok(refused)
    }

    async fn forget(&mut self, keys: &[String]) -> Result<(), StoreError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let right = ledger::grant(&self.users, &self.session.account);
        for sql in ledger::forget_sql(&self.users, &self.fence.sync, &keys) {
            self.session.run("forget who is deactivated", &right, &sql).await?;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>, row: &LedgerRow) -> Result<(), StoreError> {
        ledger::write(&mut self.session, &self.users, &self.fence.sync, row).await?;
        // Gone with the transaction, if the server has ended it by itself since.
        self.session.run("commit", "", "release savepoint usersync_begin").await?;
        self.session.run("commit", "", "commit").await.map(|_| ())
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), StoreError> {
        self.session.run("roll back", "", "rollback").await.map(|_| ())
    }
}

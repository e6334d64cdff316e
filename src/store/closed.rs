//! A store that could not be opened: whoever asks it anything hears why.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{
    model::{
        column::Table,
        file::Stamp,
        job::SyncId,
        ledger::{Claim, Fence, LedgerRow, OpenStep},
        plan::Layout,
        rows::Rows,
    },
    ports::{Apply, StoreError, UserStore},
};

/// Fails every call with the error that opening came to, so that a run ends with it like with any other.
pub struct Closed(pub StoreError);

impl Closed {
    fn why<T>(&self) -> Result<T, StoreError> {
        Err(self.0.clone())
    }
}

#[async_trait]
impl UserStore for Closed {
    async fn inspect(&self) -> Result<Table, StoreError> {
        self.why()
    }

    async fn check(&self, _: &Claim) -> Result<(), StoreError> {
        self.why()
    }

    async fn open(&self, _: &Claim) -> Result<Fence, StoreError> {
        self.why()
    }

    async fn committed(&self, _: &SyncId, _: &str) -> Result<Option<LedgerRow>, StoreError> {
        self.why()
    }

    async fn imported(&self, _: &SyncId, _: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        self.why()
    }

    async fn imported_on_day(&self, _: &SyncId, _: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        self.why()
    }

    async fn last(&self, _: &SyncId) -> Result<Option<LedgerRow>, StoreError> {
        self.why()
    }

    async fn unfinished(&self, _: &SyncId) -> Result<Vec<LedgerRow>, StoreError> {
        self.why()
    }

    async fn close(&self, _: &SyncId, _: &str, _: OpenStep) -> Result<(), StoreError> {
        self.why()
    }

    async fn scan(
        &self,
        _: &Layout,
        _: &BTreeMap<String, String>,
        _: Option<&Rows>,
    ) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        self.why()
    }

    async fn count(&self, _: &Layout, _: &BTreeMap<String, String>, _: Option<u64>) -> Result<u64, StoreError> {
        self.why()
    }

    async fn deactivated(&self, _: &SyncId) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        self.why()
    }

    async fn outside(&self, _: &Layout, _: &BTreeMap<String, String>, _: &Rows) -> Result<Vec<usize>, StoreError> {
        self.why()
    }

    async fn begin(&self, _: &Fence, _: &Layout, _: &BTreeMap<String, String>) -> Result<Box<dyn Apply>, StoreError> {
        self.why()
    }
}

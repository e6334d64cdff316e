//! The steps of a run at which something may happen: before and after each call that it makes to the world.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::io::AsyncWrite;
use usersync::{
    model::{
        change::{Change, ChangeKind},
        column::Table,
        file::{Listed, Stamp},
        job::SyncId,
        ledger::{Claim, Fence, LedgerRow, OpenStep},
        plan::Layout,
        progress::Progress,
        report::Reports,
        rows::Rows,
    },
    ports::{Aged, Apply, Ports, Refused, ReportError, ReportStore, Source, SourceError, StoreError, UserStore, Watch},
};

/// Counts the steps, and does something at one of them.
pub struct Steps {
    /// Which one, from 1, or the first of that name.
    at: At,
    count: AtomicUsize,
    act: Box<dyn Fn(&str) + Send + Sync>,
}

/// Which step.
pub enum At {
    Never,
    Number(usize),
    Name(&'static str),
}

impl Steps {
    pub fn new(at: At, act: impl Fn(&str) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { at, count: AtomicUsize::new(0), act: Box::new(act) })
    }

    /// Counts them only.
    pub fn counted() -> Arc<Self> {
        Self::new(At::Never, |_| ())
    }

    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn reach(&self, name: &str) {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let here = match self.at {
            At::Never => false,
            At::Number(chosen) => chosen == number,
            At::Name(chosen) => chosen == name,
        };
        if here {
            tokio::task::block_in_place(|| (self.act)(name));
        }
    }
}

/// The ports with steps.
pub fn stepped(ports: Ports, steps: &Arc<Steps>) -> Ports {
    Ports {
        source: Arc::new(Stepped(ports.source, steps.clone())),
        store: Arc::new(Stepped(ports.store, steps.clone())),
        reports: Arc::new(Stepped(ports.reports, steps.clone())),
        notifier: ports.notifier,
        watch: Arc::new(Stepped(ports.watch, steps.clone())),
    }
}

struct Stepped<T: ?Sized>(Arc<T>, Arc<Steps>);

/// The call as a step.
macro_rules! step {
    ($self:ident, $name:literal, $call:expr) => {{
        $self.1.reach(concat!("before ", $name));
        let done = $call.await;
        $self.1.reach(concat!("after ", $name));
        done
    }};
}

#[async_trait]
impl UserStore for Stepped<dyn UserStore> {
    async fn inspect(&self) -> Result<Table, StoreError> {
        step!(self, "inspect", self.0.inspect())
    }

    async fn check(&self, claim: &Claim) -> Result<(), StoreError> {
        step!(self, "check", self.0.check(claim))
    }

    async fn open(&self, claim: &Claim) -> Result<Fence, StoreError> {
        step!(self, "open", self.0.open(claim))
    }

    async fn committed(&self, sync: &SyncId, run: &str) -> Result<Option<LedgerRow>, StoreError> {
        step!(self, "committed", self.0.committed(sync, run))
    }

    async fn imported(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        step!(self, "imported", self.0.imported(sync, files))
    }

    async fn imported_on_day(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        step!(self, "imported_on_day", self.0.imported_on_day(sync, files))
    }

    async fn last(&self, sync: &SyncId) -> Result<Option<LedgerRow>, StoreError> {
        step!(self, "last", self.0.last(sync))
    }

    async fn unfinished(&self, sync: &SyncId) -> Result<Vec<LedgerRow>, StoreError> {
        step!(self, "unfinished", self.0.unfinished(sync))
    }

    async fn close(&self, sync: &SyncId, run: &str, step: OpenStep) -> Result<(), StoreError> {
        step!(self, "close", self.0.close(sync, run, step))
    }

    async fn scan(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        only: Option<&Rows>,
    ) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        step!(self, "scan", self.0.scan(layout, scope, only))
    }

    async fn count(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        most: Option<u64>,
    ) -> Result<u64, StoreError> {
        step!(self, "count", self.0.count(layout, scope, most))
    }

    async fn deactivated(&self, sync: &SyncId) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        step!(self, "deactivated", self.0.deactivated(sync))
    }

    async fn key_forms(&self, layout: &Layout, keys: &Rows) -> Result<Rows, StoreError> {
        step!(self, "key_forms", self.0.key_forms(layout, keys))
    }

    async fn outside(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        keys: &Rows,
    ) -> Result<Vec<usize>, StoreError> {
        step!(self, "outside", self.0.outside(layout, scope, keys))
    }

    async fn begin(
        &self,
        fence: &Fence,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Apply>, StoreError> {
        let begun = step!(self, "begin", self.0.begin(fence, layout, scope))?;
        Ok(Box::new(SteppedApply(begun, self.1.clone())))
    }
}

struct SteppedApply(Box<dyn Apply>, Arc<Steps>);

#[async_trait]
impl Apply for SteppedApply {
    async fn change(&mut self, kind: ChangeKind, changes: &[Change]) -> Result<Vec<Refused>, StoreError> {
        step!(self, "change", self.0.change(kind, changes))
    }

    async fn add(&mut self, users: &Rows) -> Result<Vec<Refused>, StoreError> {
        step!(self, "add", self.0.add(users))
    }

    async fn forget(&mut self, keys: &[String]) -> Result<(), StoreError> {
        step!(self, "forget", self.0.forget(keys))
    }

    async fn commit(self: Box<Self>, row: &LedgerRow) -> Result<(), StoreError> {
        step!(self, "commit", self.0.commit(row))
    }

    async fn rollback(self: Box<Self>) -> Result<(), StoreError> {
        step!(self, "rollback", self.0.rollback())
    }
}

#[async_trait]
impl Source for Stepped<dyn Source> {
    fn location(&self) -> String {
        self.0.location()
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        step!(self, "list", self.0.list())
    }

    async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
        step!(self, "stat", self.0.stat(name))
    }

    async fn fetch(
        &self,
        file: &Stamp,
        from: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        step!(self, "fetch", self.0.fetch(file, from, into, progress))
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError> {
        step!(self, "rename", self.0.rename(from, to))
    }

    async fn delete(&self, name: &str) -> Result<(), SourceError> {
        step!(self, "delete", self.0.delete(name))
    }

    async fn rest(&self) {
        self.0.rest().await;
    }
}

#[async_trait]
impl ReportStore for Stepped<dyn ReportStore> {
    fn locate(&self, sync: &SyncId, run: &str, names: &[String]) -> Reports {
        self.0.locate(sync, run, names)
    }

    async fn publish(&self, sync: &SyncId, run: &str, staged: &Path) -> Result<Reports, ReportError> {
        step!(self, "publish", self.0.publish(sync, run, staged))
    }

    async fn remove(&self, sync: &SyncId, run: &str) -> Result<(), ReportError> {
        self.0.remove(sync, run).await
    }

    async fn older(&self, than: jiff::Timestamp) -> Result<Vec<Aged>, ReportError> {
        self.0.older(than).await
    }

    async fn read(&self, sync: &SyncId, run: &str, name: &str) -> Result<Option<Vec<u8>>, ReportError> {
        self.0.read(sync, run, name).await
    }
}

#[async_trait]
impl Watch for Stepped<dyn Watch> {
    fn at(&self, progress: Progress) {
        self.0.at(progress);
    }

    fn stopped(&self) -> bool {
        self.0.stopped()
    }

    async fn ours(&self) -> Result<(), String> {
        step!(self, "ours", self.0.ours())
    }

    fn waits(&self) {
        self.0.waits();
    }

    async fn goes_on(&self) {
        self.0.goes_on().await;
    }
}

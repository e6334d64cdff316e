//! A database of one's own and short words for what every test does.

use std::{collections::BTreeMap, time::Duration};

use futures::TryStreamExt as _;
use usersync::{
    api::Action,
    model::{
        change::{Change, ChangeKind},
        counts::Counts,
        file::Stamp,
        job::{SyncId, Target, TargetTimeouts},
        ledger::{Claim, Fence, LedgerRow, OpenStep},
        plan::{Layout, LayoutColumn, Role},
        rows::Rows,
    },
    ports::{Apply, StoreError, UserStore},
};

pub use super::dialect::{Server, Store, database, sql};

/// A row as text.
pub type Cells = Vec<Option<String>>;

/// Cells from words; `-` is NULL.
pub fn cells(words: &[&str]) -> Cells {
    words.iter().map(|word| (*word != "-").then(|| (*word).to_owned())).collect()
}

/// Rows from words; `-` is NULL.
pub fn rows(lines: &[&[&str]]) -> Rows {
    let mut rows = Rows::new(lines[0].len());
    lines.iter().for_each(|line| rows.push_row(line.iter().map(|word| (*word != "-").then_some(*word))));
    rows
}

pub fn scope(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(column, value)| ((*column).to_owned(), (*value).to_owned())).collect()
}

pub fn sync(name: &str) -> SyncId {
    SyncId { instance: "usersync".into(), namespace: "default".into(), name: name.into() }
}

pub fn claim(name: &str, action: Action, columns: &[(&str, &str)]) -> Claim {
    Claim { sync: sync(name), table: "users".into(), scope: scope(columns), action }
}

pub fn update(old: &[&str], new: &[&str]) -> Change {
    Change { kind: ChangeKind::Update, line: Some(2), offset: Some(0), old: cells(old), new: cells(new) }
}

pub fn delete(old: &[&str]) -> Change {
    Change { kind: ChangeKind::Delete, line: None, offset: None, old: cells(old), new: Vec::new() }
}

pub fn ledger_row(run: &str, file: &str) -> LedgerRow {
    LedgerRow {
        run: run.into(),
        file: Stamp {
            name: file.into(),
            size: 5_000_000_000,
            mtime: "2026-11-22T10:00:00.123456789Z".parse().unwrap(),
        },
        sha256: "ab".repeat(32),
        spec: "cd".repeat(32),
        result: "Completed".into(),
        counts: Counts { read: 3, added: 2, unchanged: 1, ..Counts::default() },
        report: "ef".repeat(32),
        open: vec![OpenStep::Archive, OpenStep::Publish],
        committed: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

pub fn target(url: &str, table: &str) -> Target {
    let timeouts = TargetTimeouts {
        connect: Duration::from_secs(10),
        statement: Duration::from_secs(60),
        lock: Duration::from_secs(60),
    };
    Target {
        database: database(url),
        table: table.into(),
        ledger_schema: None,
        scope: BTreeMap::new(),
        protected: Vec::new(),
        ca_bundle: None,
        timeouts,
    }
}

/// A table and a store on it.
pub struct Bench {
    pub url: String,
    pub store: Store,
    pub scope: BTreeMap<String, String>,
}

impl Bench {
    /// A new database where `setup` ran; the users are in `users`.
    pub async fn new(setup: &str) -> Self {
        Self::on(Server::shared(), setup).await
    }

    pub async fn on(server: &Server, setup: &str) -> Self {
        let url = server.create_database();
        sql(&url, setup);
        let store = Store::connect(&target(&url, "users")).await.unwrap();
        Self { url, store, scope: BTreeMap::new() }
    }

    pub fn sql(&self, text: &str) -> String {
        sql(&self.url, text)
    }

    /// The first column is the key, the others as given.
    pub async fn layout(&self, columns: &[(&str, Role)]) -> Layout {
        let table = self.store.inspect().await.unwrap();
        let columns = columns
            .iter()
            .map(|(name, role)| LayoutColumn {
                column: table.column(name).unwrap().clone(),
                role: *role,
                sensitive: false,
                unique: false,
            })
            .collect();
        Layout { columns }
    }

    /// Key and mapped columns.
    pub async fn mapped(&self, names: &[&str]) -> Layout {
        let role = |i| if i == 0 { Role::Key } else { Role::Mapped };
        let columns: Vec<_> = names.iter().enumerate().map(|(i, name)| (*name, role(i))).collect();
        self.layout(&columns).await
    }

    pub async fn scan(&self, layout: &Layout) -> Vec<Cells> {
        self.found(layout, None).await
    }

    /// All users, or those with these keys.
    pub async fn found(&self, layout: &Layout, only: Option<&Rows>) -> Vec<Cells> {
        let batches = self.store.scan(layout, &self.scope, only).await.unwrap();
        let batches: Vec<Rows> = batches.try_collect().await.unwrap();
        let mut rows: Vec<Cells> = batches
            .iter()
            .flat_map(Rows::iter)
            .map(|row| row.cells().map(|cell| cell.map(str::to_owned)).collect())
            .collect();
        rows.sort();
        rows
    }

    pub async fn open(&self) -> Fence {
        self.store.open(&claim("hr", Action::Upsert, &[])).await.unwrap()
    }

    pub async fn begin(&self, layout: &Layout) -> Box<dyn Apply> {
        let fence = self.open().await;
        self.store.begin(&fence, layout, &self.scope).await.unwrap()
    }

    pub async fn commit(&self, apply: Box<dyn Apply>, run: &str) {
        apply.commit(&ledger_row(run, "users.csv")).await.unwrap();
    }

    pub async fn deactivated(&self) -> Vec<String> {
        let batches: Vec<Rows> = self.store.deactivated(&sync("hr")).await.unwrap().try_collect().await.unwrap();
        let mut keys = Vec::new();
        for row in batches.iter().flat_map(Rows::iter) {
            assert!((0..100).contains(&row.get(1).unwrap().parse::<i64>().unwrap()));
            keys.push(row.get(0).unwrap().to_owned());
        }
        keys.sort();
        keys
    }
}

/// The error of something that must fail.
pub fn failure<T>(result: Result<T, StoreError>) -> StoreError {
    result.err().expect("an error")
}

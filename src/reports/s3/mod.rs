//! Reports in a bucket: `s3://BUCKET/PREFIX/NAMESPACE/SYNC/RUN/…`. A report is whole as soon as its `report.json` is there: that one
//! comes last, and goes first.
//!
//! | file | does |
//! |---|---|
//! | `bucket` | reads and writes the address |
//! | `connect` | finds server, region and credentials in the environment |
//! | `errors` | says in plain words what went wrong, and what to do |
//! | `upload` | sends a file, part by part |

mod bucket;
mod connect;
mod errors;
mod upload;

use std::{collections::BTreeMap, fs, path::Path};

use async_trait::async_trait;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::{Error, GetResult, ObjectStore, ObjectStoreExt, aws::AmazonS3, path::Path as Key};

pub use self::bucket::Bucket;
pub(super) use self::connect::credentials_in;
use self::{connect::Server, errors::Words};
use super::names::{WHOLE, folders, is_folder, is_report, located, plain_file, staged_names};
use crate::{
    control::cause::may_be_of,
    model::{job::SyncId, report::Reports, sync},
    ports::{AGED, Aged, READ, ReportError, ReportStore},
};

/// A report store in a bucket of Amazon S3, or of a server that speaks like it.
pub struct S3 {
    bucket: Bucket,
    client: AmazonS3,
    server: Server,
}

impl S3 {
    /// The store, with what the environment says. Asks nobody. Fails with what is missing there, or can't be.
    pub fn open(bucket: Bucket, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ReportError> {
        let place = bucket.to_string();
        Self::connected(bucket, environment)
            .map_err(|why| ReportError(format!("reports can't be kept at {place}: {why}")))
    }

    /// The same, whatever it is for. Fails with the reason alone.
    pub(super) fn connected(bucket: Bucket, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let (client, server) = connect::connect(&bucket, environment)?;
        Ok(Self { bucket, client, server })
    }

    /// An object of the bucket, by its whole key. None: there is no such.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReportError> {
        let failed =
            |why: String| ReportError(format!("the report s3://{}/{key} can't be read: {why}", self.bucket.name()));
        let at = Key::parse(key).map_err(|_| failed("this is no name of an object".to_owned()))?;
        let found = match self.client.get(&at).await {
            Ok(found) => found,
            Err(error) if self.words(&error).is_missing() => return Ok(None),
            Err(error) => return Err(failed(self.words(&error).to_string())),
        };
        if found.meta.size > READ {
            return Err(failed(format!("it has more than {READ} bytes")));
        }
        whole(found).await.map(Some).map_err(|error| failed(self.words(&error).to_string()))
    }

    /// What lies in a run's place, by name, with its size.
    async fn there(&self, sync: &SyncId, run: &str) -> Result<BTreeMap<String, u64>, Error> {
        let listed = self.client.list_with_delimiter(Some(&self.place(sync, run)?)).await?;
        let named = |object: object_store::ObjectMeta| Some((object.location.filename()?.to_owned(), object.size));
        Ok(listed.objects.into_iter().filter_map(named).collect())
    }

    fn place(&self, sync: &SyncId, run: &str) -> Result<Key, Error> {
        Ok(Key::parse(self.bucket.key(&[&sync.namespace, &sync.name, run]))?)
    }

    fn object(&self, sync: &SyncId, run: &str, name: &str) -> Result<Key, Error> {
        Ok(Key::parse(self.bucket.key(&[&sync.namespace, &sync.name, run, &object_name(name)]))?)
    }

    /// Brings the staged files to their place.
    async fn bring(&self, sync: &SyncId, run: &str, staged: &Path, names: &[String]) -> Result<(), Failed> {
        let there = self.there(sync, run).await?;
        if self.same(sync, run, staged, names, &there).await? {
            return Ok(());
        }
        // From here on it is not whole: neither the report of before nor this one.
        if there.contains_key(WHOLE) {
            self.client.delete(&self.object(sync, run, WHOLE)?).await?;
        }
        for name in names.iter().filter(|name| *name != WHOLE) {
            upload::upload(&self.client, &self.object(sync, run, name)?, &staged.join(name)).await?;
        }
        let kept: Vec<String> = names.iter().map(|name| object_name(name)).collect();
        for name in there.keys().filter(|name| is_report(name) && *name != WHOLE && !kept.contains(name)) {
            self.client.delete(&self.object(sync, run, name)?).await?;
        }
        if names.iter().any(|name| name == WHOLE) {
            upload::upload(&self.client, &self.object(sync, run, WHOLE)?, &staged.join(WHOLE)).await?;
        }
        Ok(())
    }

    /// Whether this very report is there already. No two reports have the same `report.json`: it says to the microsecond when the
    /// run began and how long each step took, and it is there only with all the others.
    async fn same(
        &self,
        sync: &SyncId,
        run: &str,
        staged: &Path,
        names: &[String],
        there: &BTreeMap<String, u64>,
    ) -> Result<bool, Failed> {
        let mut wanted = BTreeMap::new();
        for name in names {
            wanted.insert(object_name(name), fs::metadata(staged.join(name))?.len());
        }
        let others = there.iter().filter(|(name, _)| is_report(name));
        let size = wanted.get(WHOLE).copied().unwrap_or(u64::MAX);
        if size > READ || !others.eq(wanted.iter()) {
            return Ok(false);
        }
        let found = whole(self.client.get(&self.object(sync, run, WHOLE)?).await?).await?;
        Ok(found == fs::read(staged.join(WHOLE))?)
    }

    fn words<'a>(&'a self, error: &'a Error) -> Words<'a> {
        Words { error, bucket: &self.bucket, server: &self.server }
    }

    fn said(&self, failed: &Failed) -> String {
        match failed {
            Failed::Store(error) => self.words(error).to_string(),
            Failed::Local(error) => format!("the spool folder can't be read: {error}"),
        }
    }
}

#[async_trait]
impl ReportStore for S3 {
    fn locate(&self, sync: &SyncId, run: &str, names: &[String]) -> Reports {
        located(names, |name| {
            let key = self.bucket.key(&[&sync.namespace, &sync.name, run, &object_name(name)]);
            format!("s3://{}/{key}", self.bucket.name())
        })
    }

    async fn publish(&self, sync: &SyncId, run: &str, staged: &Path) -> Result<Reports, ReportError> {
        folders(sync, run)?;
        let place = self.bucket.key(&[&sync.namespace, &sync.name, run]);
        let failed = |why: String| {
            ReportError(format!("the report could not be put into s3://{}/{place}: {why}", self.bucket.name()))
        };
        let names = staged_names(staged).map_err(|error| failed(error.to_string()))?;
        self.bring(sync, run, staged, &names).await.map_err(|error| failed(self.said(&error)))?;
        Ok(self.locate(sync, run, &names))
    }

    async fn remove(&self, sync: &SyncId, run: &str) -> Result<(), ReportError> {
        folders(sync, run)?;
        let remove = async {
            let there = self.there(sync, run).await?;
            let (whole, others): (Vec<_>, Vec<_>) =
                there.keys().filter(|name| is_report(name)).partition(|name| *name == WHOLE);
            for name in whole.into_iter().chain(others) {
                self.client.delete(&self.object(sync, run, name)?).await?;
            }
            Ok::<(), Error>(())
        };
        remove.await.map_err(|error| {
            let place = self.bucket.key(&[&sync.namespace, &sync.name, run]);
            let name = self.bucket.name();
            ReportError(format!("the report s3://{name}/{place} can't be removed: {}", self.words(&error)))
        })
    }

    async fn older(&self, than: Timestamp) -> Result<Vec<Aged>, ReportError> {
        let mut last: BTreeMap<(String, String, String), i64> = BTreeMap::new();
        let prefix = Key::parse(self.bucket.prefix()).ok();
        let mut objects = self.client.list(prefix.as_ref());
        let failed = |error: Error| {
            ReportError(format!("the reports at {} can't be listed: {}", self.bucket, self.words(&error)))
        };
        while let Some(object) = objects.try_next().await.map_err(failed)? {
            if let Some(run) = self.run_of(object.location.as_ref()) {
                let written = last.entry(run).or_insert(i64::MIN);
                *written = (*written).max(object.last_modified.timestamp());
            }
        }
        let old = last.into_iter().filter(|(_, written)| *written < than.as_second());
        let aged = |((namespace, name, run), _)| Aged { sync: sync::Key { namespace, name }, run };
        Ok(old.map(aged).take(AGED).collect())
    }

    async fn read(&self, sync: &SyncId, run: &str, name: &str) -> Result<Option<Vec<u8>>, ReportError> {
        folders(sync, run)?;
        let name = object_name(plain_file(name)?);
        self.get(&self.bucket.key(&[&sync.namespace, &sync.name, run, &name])).await
    }
}

impl S3 {
    /// Namespace, sync and run of an object, if it is a file of a report.
    fn run_of(&self, key: &str) -> Option<(String, String, String)> {
        let below = match self.bucket.prefix() {
            "" => key,
            prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        let mut parts = below.split('/');
        let (namespace, sync, run, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let ours = [namespace, sync].into_iter().all(is_folder) && may_be_of(run, sync) && is_report(name);
        (ours && parts.next().is_none()).then(|| (namespace.to_owned(), sync.to_owned(), run.to_owned()))
    }
}

/// The bytes of an object that is not too long.
async fn whole(found: GetResult) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut parts = found.into_stream();
    while let Some(part) = parts.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// The last part of an object's key. Names of files may have characters that no key may have: those are written as `%0A`.
fn object_name(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&letter) {
            let mut bytes = [0; 4];
            letter.encode_utf8(&mut bytes).bytes().for_each(|byte| key.push_str(&format!("%{byte:02X}")));
        } else {
            key.push(letter);
        }
    }
    key
}

/// Why something could not be brought there.
enum Failed {
    Store(Error),
    Local(std::io::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Local(error)
    }
}

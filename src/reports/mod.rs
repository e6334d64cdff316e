//! Adapters that keep reports, each at `NAMESPACE/SYNC/RUN/…` below the place that `--reports` names.
//!
//! | file | does |
//! |---|---|
//! | `folder` | in a folder of this machine |
//! | `s3/` | in a bucket of Amazon S3, or of a server that speaks like it |
//! | `names` | which names there are, and which could lead elsewhere |

pub mod folder;
mod names;
pub mod s3;

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use self::{
    folder::Folder,
    s3::{Bucket, S3, credentials_in},
};
use crate::ports::{ReportError, ReportStore};

/// Where reports are kept: `/var/reports`, `s3://BUCKET/PREFIX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportsAt {
    /// A folder.
    Folder(PathBuf),
    /// A bucket, or a part of it.
    Bucket(Bucket),
}

impl fmt::Display for ReportsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl FromStr for ReportsAt {
    type Err = String;

    /// Fails with what to write instead.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("s3", rest)) => Ok(Self::Bucket(Bucket::parse(rest)?)),
            Some((scheme, _)) => Err(format!(
                "reports are kept in a folder or at s3://BUCKET/PREFIX; {scheme}:// is neither. The address of an S3 server belongs \
                     into AWS_ENDPOINT_URL"
            )),
            None if text.is_empty() => Err("name a folder, or s3://BUCKET/PREFIX".to_owned()),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

/// The store that keeps reports there. What it takes to use a bucket comes from the environment; whether it can be used is
/// found out when something is kept. Fails with what is missing in the environment.
pub fn open(at: &ReportsAt) -> Result<Arc<dyn ReportStore>, ReportError> {
    Ok(match at {
        ReportsAt::Folder(folder) => Arc::new(Folder::new(folder.clone())),
        ReportsAt::Bucket(bucket) => Arc::new(S3::open(bucket.clone(), &environment)?),
    })
}

/// Why a file of a report can't be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The environment does not say what it takes to use the bucket.
    #[error("{0}")]
    Environment(String),
    /// The bucket can't be used, or gives no such file.
    #[error(transparent)]
    Store(ReportError),
}

/// A file of a report by its address, `s3://BUCKET/PREFIX/NAMESPACE/SYNC/RUN/NAME`, as a status has it. None: it is not there.
/// At most [`crate::ports::READ`] bytes.
pub async fn fetch(address: &str) -> Result<Option<Vec<u8>>, FetchError> {
    let rest = address.strip_prefix("s3://").unwrap_or_default();
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let unread = |why: String| format!("{address} can't be read: {why}");
    let bucket = Bucket::parse(bucket).map_err(|why| FetchError::Store(ReportError(unread(why))))?;
    let store = S3::connected(bucket, &environment).map_err(|why| FetchError::Environment(unread(why)))?;
    store.get(key).await.map_err(|why| match credentials_in(&environment) {
        true => FetchError::Store(why),
        false => FetchError::Environment(why.0),
    })
}

/// What a variable holds; an empty one holds nothing.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let at = |text: &str| text.parse::<ReportsAt>();
        assert_eq!(at("reports"), Ok(ReportsAt::Folder("reports".into())));
        assert_eq!(at("/a b/c"), Ok(ReportsAt::Folder("/a b/c".into())));
        for (text, place) in [
            ("s3://reports", "s3://reports"),
            ("s3://reports/", "s3://reports"),
            ("s3://my.reports-1/a/b_c/", "s3://my.reports-1/a/b_c"),
        ] {
            match at(text) {
                Ok(ReportsAt::Bucket(bucket)) => assert_eq!(bucket.to_string(), place),
                other => panic!("{text}: {other:?}"),
            }
        }
        let long = format!("s3://bucket/{}", "x".repeat(200));
        for (text, words) in [
            ("", "name a folder"),
            ("gs://bucket", "gs:// is neither"),
            ("https://s3.example.com/bucket", "AWS_ENDPOINT_URL"),
            ("s3://", "name of a bucket"),
            ("s3://b", "name of a bucket"),
            ("s3://Bucket", "name of a bucket"),
            ("s3://bucket_1/x", "name of a bucket"),
            ("s3://-bucket", "name of a bucket"),
            ("s3://bucket:9000/x", "AWS_ENDPOINT_URL"),
            ("s3://bucket//x", "prefix"),
            ("s3://bucket/../x", "prefix"),
            ("s3://bucket/a?b", "prefix"),
            ("s3://bucket/a%20b", "prefix"),
            (&long, "prefix"),
        ] {
            let why = at(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
        let why = at("s3://AKIA:hush@bucket/x").unwrap_err();
        assert!(why.contains("AWS_ACCESS_KEY_ID") && !why.contains("hush") && !why.contains("AKIA:"), "{why}");
    }
}

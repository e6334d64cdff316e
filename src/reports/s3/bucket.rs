//! The address of a bucket, or of a part of it.

use std::fmt;

/// Bytes of a prefix: with namespace, sync, run and file behind it, a key has 1,024 at most.
const PREFIX: usize = 128;

/// A bucket, and the prefix of all keys in it: `s3://BUCKET/PREFIX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    prefix: String,
}

impl Bucket {
    /// Reads what stands behind `s3://`. Fails with what to write instead, without what could be a secret.
    pub fn parse(rest: &str) -> Result<Self, String> {
        if rest.contains('@') {
            return Err("no credentials are written into an address: they belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                .to_owned());
        }
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if name.contains(':') {
            return Err("s3://BUCKET/PREFIX names no server: that is AWS_ENDPOINT_URL".to_owned());
        }
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let ends = |end: Option<u8>| end.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let good = (3..=63).contains(&name.len()) && name.bytes().all(inner);
        if !good || !ends(name.bytes().next()) || !ends(name.bytes().last()) {
            return Err(format!(
                "{name:?} is no name of a bucket: 3 to 63 of a-z, 0-9, - and . as in s3://my-reports/usersync"
            ));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let part = |part: &str| !["", ".", ".."].contains(&part) && part.bytes().all(plain);
        if !prefix.is_empty() && (prefix.len() > PREFIX || !prefix.split('/').all(part)) {
            return Err(format!(
                "{prefix:?} can't be the prefix of reports: at most {PREFIX} of a-z, A-Z, 0-9, - _ . + = with / between, as in \
                 s3://my-reports/usersync"
            ));
        }
        Ok(Self { name: name.to_owned(), prefix: prefix.to_owned() })
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The prefix, without `/` around it; empty if there is none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of what has these names, one below the other.
    pub fn key(&self, parts: &[&str]) -> String {
        let below = parts.join("/");
        if self.prefix.is_empty() { below } else { format!("{}/{below}", self.prefix) }
    }
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.+=".contains(&byte)
}

impl fmt::Display for Bucket {
    /// `s3://BUCKET/PREFIX`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

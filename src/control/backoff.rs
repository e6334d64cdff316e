//! How long to wait before the next try: twice as long each time, up to a limit, and not all in the same moment.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::{api::usersync::source::SourceSpec, model::reason::Reason};

/// A back-off, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: i64,
    limit: i64,
}

impl Backoff {
    /// From `first` to `limit` seconds.
    pub const fn seconds(first: i64, limit: i64) -> Self {
        Self { first, limit }
    }

    /// For what failed like this: a Secret that is read again, a folder of this machine or a server that is asked again.
    pub const fn for_reason(reason: Option<Reason>, source: &SourceSpec) -> Self {
        match reason {
            Some(Reason::ReferenceMissing) => Self::REFERENCES,
            _ if source.directory.is_some() => Self::seconds(2, 30),
            _ => Self::seconds(2, 120),
        }
    }

    /// Secrets and ConfigMaps that are read again.
    pub const REFERENCES: Self = Self::seconds(5, 60);

    /// The wait after that many failures in a row (1 is the first). The jitter, a fifth less at most, follows from `of`
    /// and the number: the same question always has the same answer.
    pub fn after(self, failures: u32, of: &str) -> SignedDuration {
        let doubled =
            self.first.saturating_mul(1i64.checked_shl(failures.saturating_sub(1).min(32)).unwrap_or(i64::MAX));
        let whole = SignedDuration::from_secs(doubled.min(self.limit));
        let byte = Sha256::digest(format!("{of} {failures}"))[0];
        let less = whole.as_millis() / 5 * i128::from(byte) / 255;
        whole.checked_sub(SignedDuration::from_millis(i64::try_from(less).unwrap_or(0))).unwrap_or(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_vary() {
        let backoff = Backoff::seconds(2, 120);
        for (failures, whole) in [(0, 2), (1, 2), (2, 4), (3, 8), (6, 64), (7, 120), (40, 120), (u32::MAX, 120)] {
            let wait = backoff.after(failures, "a");
            let whole = SignedDuration::from_secs(whole);
            assert!(wait <= whole && wait * 5 >= whole * 4, "{failures}: {wait:#}");
            assert_eq!(wait, backoff.after(failures, "a"));
        }
        assert_ne!(backoff.after(7, "a"), backoff.after(7, "b"));
    }
}

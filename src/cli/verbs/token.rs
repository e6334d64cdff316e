//! Tokens that nobody used before.

use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;

/// A fresh token: the time, for people, and 64 random bits.
pub fn fresh(now: Timestamp) -> String {
    // RandomState is seeded by the system.
    let random = RandomState::new().hash_one(now.as_nanosecond());
    format!("{}-{random:016x}", now.strftime("%Y%m%dT%H%M%SZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let now: Timestamp = "2026-11-22T01:02:03.5Z".parse().unwrap();
        let tokens: Vec<String> = (0..100).map(|_| fresh(now)).collect();
        assert!(tokens.iter().all(|token| token.starts_with("20261122T010203Z-") && token.len() <= 128));
        let once: std::collections::BTreeSet<_> = tokens.iter().collect();
        assert_eq!(once.len(), 100);
    }
}

//! Chance that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

/// Throws numbers that follow from a seed.
pub struct Dice(u64);

impl Dice {
    /// Of the seed that `USERSYNC_SEED` says, or a new one; printed, for the failure's reader.
    pub fn new(of: &str) -> Self {
        let given = std::env::var("USERSYNC_SEED").ok().map(|seed| seed.parse().expect("USERSYNC_SEED is a number"));
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.unwrap_or_else(now);
        println!("{of}: USERSYNC_SEED={seed}");
        Self(seed)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to one less than `below`.
    pub fn number(&mut self, below: usize) -> usize {
        usize::try_from(self.next() % below as u64).unwrap()
    }

    /// From 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// So many times in every test run, and so many where it may take long.
pub fn times(always: usize, long: usize) -> usize {
    if std::env::var_os("USERSYNC_LONG").is_some() { long } else { always }
}

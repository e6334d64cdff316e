//! Patience: how long an answer may take. The time in which the work waits for a place on its server does not count: others are
//! served there, and nobody is to blame.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::sleep;

use crate::{model::progress::Progress, ports::Watch};

/// How often is looked how long it has taken: the limit is as exact as that.
const TICK: Duration = Duration::from_secs(1);

/// A limit of time for work that tells when it waits; whoever else watches the work is told everything.
pub struct Patience {
    waits: AtomicBool,
    watch: Arc<dyn Watch>,
}

impl Patience {
    /// For work that `watch` watches too.
    pub fn new(watch: Arc<dyn Watch>) -> Arc<Self> {
        Arc::new(Self { waits: AtomicBool::new(false), watch })
    }

    /// The answer. None: it took longer than the limit, and is dropped.
    pub async fn over<T>(&self, limit: Duration, asked: impl Future<Output = T>) -> Option<T> {
        let mut asked = pin!(asked);
        let mut taken = Duration::ZERO;
        while taken < limit {
            let tick = TICK.min(limit.saturating_sub(taken));
            tokio::select! {
                answer = &mut asked => return Some(answer),
                () = sleep(tick) => {}
            }
            if !self.waits.load(Ordering::Relaxed) {
                taken += tick;
            }
        }
        None
    }
}

#[async_trait]
impl Watch for Patience {
    fn at(&self, progress: Progress) {
        self.watch.at(progress);
    }

    fn stopped(&self) -> bool {
        self.watch.stopped()
    }

    async fn ours(&self) -> Result<(), String> {
        self.watch.ours().await
    }

    fn waits(&self) {
        self.waits.store(true, Ordering::Relaxed);
        self.watch.waits();
    }

    async fn goes_on(&self) {
        self.watch.goes_on().await;
        self.waits.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl Watch for Nobody {
        fn at(&self, _: Progress) {}
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_time_counts_in_which_somebody_could_have_answered() {
        let limit = Duration::from_secs(120);
        for (waits, works, in_time) in [(0, 100, true), (0, 130, false), (10_000, 100, true), (10_000, 130, false)] {
            let patience = Patience::new(Arc::new(Nobody));
            let asked = async {
                patience.waits();
                sleep(Duration::from_secs(waits)).await;
                patience.goes_on().await;
                sleep(Duration::from_secs(works)).await;
            };
            assert_eq!(patience.over(limit, asked).await.is_some(), in_time, "{waits} s waiting, {works} s at work");
        }
    }
}

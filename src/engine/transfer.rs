//! Transfer: a file's bytes over a line that may drop. What has come stays, and the rest is fetched behind it.

use std::time::Duration;

use super::{intake::Intake, outcome::RunError};
use crate::{
    control::backoff::Backoff,
    model::{
        file::Stamp,
        progress::{Progress, Step},
    },
    ports::{Source, SourceError, Watch},
};

/// How long to wait before it goes on.
const AGAIN: Backoff = Backoff::seconds(2, 120);
/// Tries in a row that brought nothing, after which it is given up: a minute of waiting, and the server's own limits.
const IN_VAIN: u32 = 5;
/// Tries altogether: a server that gives a byte each time is no server.
const TRIES: u32 = 1_000;
/// How often is looked whether the run is to end.
const STOP: Duration = Duration::from_millis(200);

/// The line to the source while one file is fetched.
pub(super) struct Line<'a> {
    source: &'a dyn Source,
    watch: &'a dyn Watch,
    stamp: &'a Stamp,
    run: &'a str,
    /// Tries in a row that brought nothing.
    failures: u32,
    /// How often it broke.
    pub broke: u32,
}

impl<'a> Line<'a> {
    /// For this file, of the run of that name.
    pub fn new(source: &'a dyn Source, watch: &'a dyn Watch, stamp: &'a Stamp, run: &'a str) -> Self {
        Self { source, watch, stamp, run, failures: 0, broke: 0 }
    }

    /// Copies the whole file. A line that drops before the first byte is an error at once: there is nothing to go on
    /// behind.
    pub async fn copy(&mut self, into: &mut Intake) -> Result<(), RunError> {
        let (watch, stamp) = (self.watch, self.stamp);
        let at = |done| watch.at(Progress { step: Step::Fetch, done, of: Some(stamp.size) });
        at(0);
        loop {
            let before = into.came();
            let fetched = stoppable(watch, self.source.fetch(stamp, before, into, &at)).await?;
            let came = into.came();
            match fetched {
                Ok(size) if size == stamp.size && came == size => return Ok(()),
                Ok(size) => return Err(self.changed(&format!("it has {size} bytes, and {came} came"))),
                // Only the server's last word is missing; whether the file is the same is seen behind it.
                Err(SourceError::Unreachable(_)) if came > 0 && came == stamp.size => return Ok(()),
                Err(SourceError::Unreachable(why)) if came > 0 => {
                    if came > before {
                        self.failures = 0;
                    }
                    self.wait(&why, came).await?;
                }
                Err(error) => return Err(error.into()),
            }
            if self.stat(came).await?.as_ref() != Some(stamp) {
                return Err(self.changed("when the transfer broke off and was to go on, it was another"));
            }
        }
    }

    /// The file as it is now. A source that doesn't answer is asked again: `came` bytes would have to come again.
    pub async fn stat(&mut self, came: u64) -> Result<Option<Stamp>, RunError> {
        loop {
            match stoppable(self.watch, self.source.stat(&self.stamp.name)).await? {
                Err(SourceError::Unreachable(why)) if came > 0 => self.wait(&why, came).await?,
                found => return Ok(found?),
            }
        }
    }

    /// Waits before the next try, without a login. An error if there is to be none.
    async fn wait(&mut self, why: &str, came: u64) -> Result<(), RunError> {
        let (name, size) = (&self.stamp.name, self.stamp.size);
        self.failures += 1;
        self.broke += 1;
        if self.failures > IN_VAIN || self.broke > TRIES {
            return Err(SourceError::Unreachable(format!(
                "{why} {came} of {size} bytes of {name} had come; {} tries to go on behind them were in vain",
                self.broke - 1
            ))
            .into());
        }
        tracing::warn!(%name, came, size, "the transfer broke off and goes on where it stopped: {why}");
        self.source.rest().await;
        let wait = Duration::try_from(AGAIN.after(self.failures, self.run)).unwrap_or_default();
        pause(self.watch, wait).await
    }

    fn changed(&self, how: &str) -> RunError {
        SourceError::Changed(format!("{} changed while it was read: {how}", self.stamp.name)).into()
    }
}

/// Waits, unless the run is to end.
pub(super) async fn pause(watch: &dyn Watch, wait: Duration) -> Result<(), RunError> {
    stoppable(watch, tokio::time::sleep(wait)).await
}

/// Does something that takes its time, unless the run is to end.
async fn stoppable<T>(watch: &dyn Watch, done: impl Future<Output = T>) -> Result<T, RunError> {
    let stopped = async {
        while !watch.stopped() {
            tokio::time::sleep(STOP).await;
        }
    };
    tokio::select! {
        biased;
        () = stopped => Err(RunError::Stopped),
        done = done => Ok(done),
    }
}

#[cfg(test)]
mod tests;

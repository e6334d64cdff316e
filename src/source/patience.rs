//! How long a server is waited for. Silence is not borne for long, and a server that drips is not borne for ever.

use std::time::Duration;

use tokio::time::Instant;

use super::words::{self, seconds};
use crate::model::job::SourceTimeouts;

/// So many times the silence that is borne, an answer may take that comes in drips.
const DRIPS: u32 = 20;
/// Bytes a second at which a file must come at least, on the whole.
const SLOWEST: u64 = 1024;
/// Each of many questions may take this part of the silence that is borne, on the whole.
const QUESTION: u32 = 10;

/// How long to wait for what was asked.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    silence: Duration,
    end: Instant,
    first_byte: bool,
}

impl Patience {
    /// For an answer, or a listing of many.
    pub fn answer(timeouts: &SourceTimeouts) -> Self {
        Self::answers(timeouts, 0)
    }

    /// For so many answers, each to a question of its own, and a listing before them.
    pub fn answers(timeouts: &SourceTimeouts, questions: usize) -> Self {
        let questions = u32::try_from(questions).unwrap_or(u32::MAX);
        Self::within(timeouts.stall, (timeouts.stall / QUESTION).saturating_mul(questions))
    }

    /// From the request for a file to its first byte.
    pub fn first_byte(timeouts: &SourceTimeouts) -> Self {
        let silence = timeouts.first_byte;
        Self { silence, end: end(silence), first_byte: true }
    }

    /// For the rest of so many bytes of a file.
    pub fn content(timeouts: &SourceTimeouts, bytes: u64) -> Self {
        Self::within(timeouts.stall, Duration::from_secs(bytes / SLOWEST))
    }

    fn within(silence: Duration, besides: Duration) -> Self {
        Self { silence, end: end(silence.saturating_mul(DRIPS).saturating_add(besides)), first_byte: false }
    }

    /// Until when the next byte must come.
    pub fn until(&self) -> Instant {
        end(self.silence).min(self.end)
    }

    /// Until when all must have come.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// Nothing came until then: what is said of it.
    pub fn over(&self) -> String {
        match (self.first_byte, Instant::now() < self.end) {
            (true, _) => format!(
                "the first byte of the file did not come within {} (source.timeouts.firstByte). It is tried again; if the server \
                 needs longer before it gives a file, raise the timeout",
                seconds(self.silence)
            ),
            (false, true) => words::stalled(self.silence),
            (false, false) => {
                "the server's answers come too slowly, a few bytes at a time. It is tried again; if it stays so, ask \
                               whoever runs the server"
                    .to_owned()
            }
        }
    }
}

fn end(after: Duration) -> Instant {
    let now = Instant::now();
    // A time-out beyond all clocks is a year.
    now.checked_add(after).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_drips_do_not_go_on_for_ever() {
        let seconds = Duration::from_secs;
        let timeouts =
            SourceTimeouts { connect: seconds(1), login: seconds(1), first_byte: seconds(60), stall: seconds(30) };
        let begin = Instant::now();
        for (patience, until, all) in [
            (Patience::answer(&timeouts), 30, 600),
            (Patience::answers(&timeouts, 1_000), 30, 3_600),
            (Patience::first_byte(&timeouts), 60, 60),
            (Patience::content(&timeouts, 9), 30, 600),
            (Patience::content(&timeouts, 1 << 20), 30, 1_624),
        ] {
            assert_eq!(patience.until() - begin, seconds(until), "{patience:?}");
            assert_eq!(patience.end() - begin, seconds(all), "{patience:?}");
        }
        let patience = Patience::content(&timeouts, 9);
        tokio::time::advance(seconds(590)).await;
        assert_eq!(patience.until() - begin, seconds(600));
        assert!(patience.over().contains("source.timeouts.stall"));
        tokio::time::advance(seconds(10)).await;
        assert!(patience.over().contains("too slowly"));
    }
}

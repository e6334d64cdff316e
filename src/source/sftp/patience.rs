//! How long a server is waited for. Silence is not borne for long, and a server that drips is not borne for ever.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;
use crate::model::job::SourceTimeouts;
use crate::source::words::seconds;

/// So many times the silence that is borne, an answer may take that comes in drips.
const DRIPS: u32 = 20;
/// Bytes a second at which a file must come at least, on the whole.
const SLOWEST: u64 = 1024;

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
        let silence = timeouts.stall;
        Self { silence, end: end(silence.saturating_mul(DRIPS)), first_byte: false }
    }

    /// From the request for a file to its first byte.
    pub fn first_byte(timeouts: &SourceTimeouts) -> Self {
        let silence = timeouts.first_byte;
        Self { silence, end: end(silence), first_byte: true }
    }

    /// For the rest of so many bytes of a file.
    pub fn content(timeouts: &SourceTimeouts, bytes: u64) -> Self {
        let silence = timeouts.stall;
        let all = silence.saturating_mul(DRIPS).saturating_add(Duration::from_secs(bytes / SLOWEST));
        Self { silence, end: end(all), first_byte: false }
    }

    /// Until when the next byte must come.
    pub fn until(&self) -> Instant {
        end(self.silence).min(self.end)
    }

    /// Nothing came until then.
    pub fn over(&self) -> Fault {
        match (self.first_byte, Instant::now() < self.end) {
            (true, _) => Fault::Broken(format!(
                "the first byte of the file did not come within {} (source.timeouts.firstByte). It is tried again; if the server \
                 needs longer before it gives a file, raise the timeout",
                seconds(self.silence)
            )),
            (false, true) => Fault::stalled(self.silence),
            (false, false) => Fault::Broken(
                "the server's answers come too slowly, a few bytes at a time. It is tried again; if it stays so, ask whoever \
                 runs the server"
                    .to_owned(),
            ),
        }
    }
}

fn end(after: Duration) -> Instant {
    let now = Instant::now();
    // A time-out beyond all clocks is a year.
    now.checked_add(after).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

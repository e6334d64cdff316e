//! Being told to stop: the first signal asks, the second one ends.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs until it ends; SIGTERM and SIGINT ask it to, a second one ends it.
pub async fn until_signalled<F: Future<Output = anyhow::Result<()>>>(
    run: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<()> {
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let stop = CancellationToken::new();
    let running = run(stop.clone());
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        () = signals.next() => tracing::info!("told to stop: no run starts any more, those at work are waited for"),
    }
    stop.cancel();
    tokio::select! {
        ended = running => ended,
        () = signals.next() => anyhow::bail!("told to stop a second time: runs at work are dropped"),
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

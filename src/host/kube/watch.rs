//! Watching one kind of object in one namespace or all of them: list, then follow; begin anew after every failure, for as long
//! as it takes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use kube::{
    Api,
    runtime::watcher::{self, Event, watcher},
};
use tracing::{debug, info, warn};

use super::{
    errors::sorted,
    seen::{Readable, Seen},
};

/// Seconds after which the API server ends a watch, for it to be asked for anew: how long a connection that died unseen can
/// hide changes.
pub const WATCH: u32 = 50;
/// Objects asked for at a time: what a list takes of memory is bounded by this, not by the cluster.
const PAGE: u32 = 200;
/// How long after a failure it is tried again, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// How the watches are.
#[derive(Default)]
pub struct Health {
    watches: Mutex<BTreeMap<String, Option<State>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Following,
    Failing(String),
}

impl Health {
    /// A watch of this name is to be.
    pub fn expect(&self, name: &str) {
        self.lock().insert(name.to_owned(), None);
    }

    /// Whether everything is seen; else why not.
    pub fn check(&self) -> Result<(), String> {
        for (name, state) in self.lock().iter() {
            match state {
                Some(State::Following) => {}
                Some(State::Failing(why)) => return Err(why.clone()),
                None => return Err(format!("{name} are being listed")),
            }
        }
        Ok(())
    }

    /// The watch's state is this now; told to the log when that is news.
    fn set(&self, name: &str, state: State) {
        let before = self.lock().insert(name.to_owned(), Some(state.clone())).flatten();
        match (&state, &before) {
            (State::Failing(why), _) if before.as_ref() != Some(&state) => warn!("{why}; trying again until it works"),
            (State::Following, Some(State::Failing(_))) => info!("{name} are watched again"),
            (State::Following, None) => info!("{name} are watched"),
            _ => {}
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<State>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches for ever, and hands over each event. `name` is what is watched, in the plural: `UserSyncs`.
pub async fn watch<K: Readable>(api: Api<Seen<K>>, name: &str, health: &Health, see: impl Fn(Event<Seen<K>>)) {
    let mut backoff = BACKOFF.0;
    loop {
        let config = watcher::Config::default().page_size(PAGE).timeout(WATCH);
        let mut events = watcher(api.clone(), config).boxed();
        // Ends with the first failure: only a new list tells when things are well again, and what was missed meanwhile.
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if matches!(event, Event::InitDone) {
                        health.set(name, State::Following);
                        backoff = BACKOFF.0;
                    }
                    see(event);
                }
                Err(watcher::Error::WatchError(status)) if status.code == 410 => {
                    debug!("{name}: the API server has forgotten where the watch stood; listing anew");
                    break;
                }
                Err(error) => {
                    health.set(name, State::Failing(why(name, &error)));
                    let jitter = backoff.mul_f64(0.5 * super::random());
                    tokio::time::sleep(backoff + jitter).await;
                    backoff = (backoff * 2).min(BACKOFF.1);
                    break;
                }
            }
        }
    }
}

fn why(name: &str, error: &watcher::Error) -> String {
    let doing = format!("watch {name}");
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => sorted(&doing, error).to_string(),
        watcher::Error::WatchError(status) => sorted(&doing, &kube::Error::Api(status.clone())).to_string(),
        watcher::Error::NoResourceVersion => format!("could not {doing}: the API server gives no resource version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_everything_is_followed() {
        let health = Health::default();
        health.expect("UserSyncs");
        health.expect("UserSyncRuns");
        assert_eq!(health.check(), Err("UserSyncRuns are being listed".to_owned()));
        health.set("UserSyncRuns", State::Following);
        health.set("UserSyncs", State::Following);
        assert_eq!(health.check(), Ok(()));
        health.set("UserSyncs", State::Failing("gone".to_owned()));
        assert_eq!(health.check(), Err("gone".to_owned()));
        health.set("UserSyncs", State::Following);
        assert_eq!(health.check(), Ok(()));
    }
}

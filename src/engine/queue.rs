//! Which sync is looked at next: each once at a time, at once or later, in the order in which they fell due.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use futures::StreamExt;
use tokio_util::time::{DelayQueue, delay_queue};

use crate::model::sync::Key;

/// Syncs to look at.
#[derive(Default)]
pub(super) struct Queue {
    due: VecDeque<Key>,
    waiting: HashSet<Key>,
    at_it: HashSet<Key>,
    /// Asked for while they were being looked at: what they were told may be old.
    again: HashSet<Key>,
    later: DelayQueue<Key>,
    alarms: HashMap<Key, delay_queue::Key>,
}

impl Queue {
    /// Look at the sync soon.
    pub fn soon(&mut self, key: Key) {
        if let Some(alarm) = self.alarms.remove(&key) {
            self.later.try_remove(&alarm);
        }
        if self.at_it.contains(&key) {
            self.again.insert(key);
        } else if self.waiting.insert(key.clone()) {
            self.due.push_back(key);
        }
    }

    /// The next one to look at; [`Queue::done`] must follow.
    pub fn next(&mut self) -> Option<Key> {
        let key = self.due.pop_front()?;
        self.waiting.remove(&key);
        self.at_it.insert(key.clone());
        Some(key)
    }

    /// The sync was looked at; look again after that time, unless something happens before.
    pub fn done(&mut self, key: Key, after: Option<Duration>) {
        self.at_it.remove(&key);
        if self.again.remove(&key) {
            self.soon(key);
        } else if let Some(after) = after
            && !self.waiting.contains(&key)
        {
            // The timer's furthest moment is about two years away.
            let after = after.min(Duration::from_secs(365 * 24 * 3600));
            let alarm = self.later.insert(key.clone(), after);
            if let Some(before) = self.alarms.insert(key, alarm) {
                self.later.try_remove(&before);
            }
        }
    }

    /// Waits until a later one falls due; for ever if there is none.
    pub async fn alarm(&mut self) {
        match self.later.next().await {
            Some(expired) => {
                let key = expired.into_inner();
                self.alarms.remove(&key);
                self.soon(key);
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { namespace: "default".into(), name: name.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn each_once_at_a_time_and_none_forgotten() {
        let mut queue = Queue::default();
        for name in ["a", "b", "a"] {
            queue.soon(key(name));
        }
        assert_eq!(queue.next(), Some(key("a")));
        queue.soon(key("a"));
        assert_eq!(queue.next(), Some(key("b")));
        assert_eq!(queue.next(), None);
        queue.done(key("a"), None);
        assert_eq!(queue.next(), Some(key("a")), "asked for meanwhile");
        queue.done(key("a"), Some(Duration::from_secs(60)));
        queue.done(key("b"), Some(Duration::from_secs(1)));
        queue.soon(key("a"));
        assert_eq!(queue.next(), Some(key("a")), "sooner than planned");
        queue.done(key("a"), None);
        queue.alarm().await;
        assert_eq!(queue.next(), Some(key("b")));
        queue.done(key("b"), None);
        assert!(
            tokio::time::timeout(Duration::from_secs(3600), queue.alarm()).await.is_err(),
            "the first plan is void"
        );
    }
}

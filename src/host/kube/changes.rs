//! The syncs to look at. Each is there once, however often it changes: a standby, who looks at none, keeps no more than their
//! names.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, stream, stream::BoxStream};
use tokio::sync::Notify;

use crate::model::sync::Key;

/// Syncs that changed since somebody asked.
#[derive(Default)]
pub struct Changes {
    pending: Mutex<BTreeSet<Key>>,
    more: Notify,
}

impl Changes {
    /// These changed.
    pub fn add(&self, keys: Vec<Key>) {
        if !keys.is_empty() {
            self.pending.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
            self.more.notify_one();
        }
    }

    /// Those that changed, as they do; never ends. For one reader.
    pub fn stream(self: Arc<Self>) -> BoxStream<'static, Key> {
        stream::unfold(self, |changes| async {
            loop {
                if let Some(key) = changes.next() {
                    return Some((key, changes));
                }
                changes.more.notified().await;
            }
        })
        .boxed()
    }

    fn next(&self) -> Option<Key> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sync_that_changes_often_is_there_once() {
        let key = |name: &str| Key { namespace: "people".to_owned(), name: name.to_owned() };
        let changes = Arc::new(Changes::default());
        for _ in 0..3 {
            changes.add(vec![key("hr"), key("it")]);
        }
        let mut stream = changes.clone().stream();
        assert_eq!((stream.next().await, stream.next().await), (Some(key("hr")), Some(key("it"))));
        let (late, ()) = tokio::join!(stream.next(), async { changes.add(vec![key("hr")]) });
        assert_eq!(late, Some(key("hr")));
    }
}

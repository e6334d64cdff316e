//! Whose turn it is: so many runs work at once, and no namespace waits behind the many runs of another.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::ports::Observer;

/// Turns, dealt out to namespaces in rotation, and within one in the order of asking.
pub(super) struct Turns {
    observer: Arc<dyn Observer>,
    table: Mutex<Table>,
}

struct Table {
    free: usize,
    running: usize,
    waiting: HashMap<String, VecDeque<oneshot::Sender<Turn>>>,
    /// Namespaces with somebody waiting, the next one first.
    rotation: VecDeque<String>,
}

/// A turn: given back when dropped.
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    /// So many at once; at least one.
    pub fn new(at_once: usize, observer: Arc<dyn Observer>) -> Arc<Self> {
        let table = Table { free: at_once.max(1), running: 0, waiting: HashMap::new(), rotation: VecDeque::new() };
        Arc::new(Self { observer, table: Mutex::new(table) })
    }

    /// Waits for a turn.
    pub async fn take(self: &Arc<Self>, namespace: &str) -> Turn {
        let receiver = {
            let mut table = self.table();
            let (sender, receiver) = oneshot::channel();
            let line = table.waiting.entry(namespace.to_owned()).or_default();
            line.push_back(sender);
            if line.len() == 1 {
                table.rotation.push_back(namespace.to_owned());
            }
            receiver
        };
        self.deal();
        // The sender is dropped only with the table, which lives as long as `self`.
        receiver.await.unwrap_or(Turn(None))
    }

    /// Deals out what is free.
    fn deal(self: &Arc<Self>) {
        loop {
            let next = {
                let mut table = self.table();
                if table.free == 0 { None } else { table.next() }
            };
            let Some(next) = next else { break };
            {
                let mut table = self.table();
                table.free -= 1;
                table.running += 1;
            }
            // Somebody who has gone gives the turn back at once.
            if let Err(turn) = next.send(Turn(Some(self.clone()))) {
                turn.give_back();
            }
        }
        let table = self.table();
        let waiting = table.waiting.values().map(VecDeque::len).sum();
        self.observer.at_work(table.running, waiting);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Who is next.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let namespace = self.rotation.pop_front()?;
        let line = self.waiting.get_mut(&namespace)?;
        let next = line.pop_front();
        if line.is_empty() {
            self.waiting.remove(&namespace);
        } else {
            self.rotation.push_back(namespace);
        }
        next
    }
}

impl Turn {
    /// Gives the turn back without dealing: the caller does that.
    fn give_back(mut self) {
        if let Some(turns) = self.0.take() {
            let mut table = turns.table();
            table.free += 1;
            table.running -= 1;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            {
                let mut table = turns.table();
                table.free += 1;
                table.running -= 1;
            }
            turns.deal();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    struct Silent;
    impl Observer for Silent {}

    #[tokio::test]
    async fn namespaces_take_turns() {
        let turns = Turns::new(1, Arc::new(Silent));
        let first = turns.take("a").await;
        let mut waiting: Vec<_> = ["a", "a", "a", "b", "c"]
            .into_iter()
            .map(|namespace| (namespace, Box::pin(turns.take(namespace))))
            .collect();
        for (_, take) in &mut waiting {
            assert!(take.as_mut().now_or_never().is_none());
        }
        // One of them goes away while it waits.
        let gone = waiting.remove(1);
        drop(gone);
        drop(first);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let at = waiting.iter_mut().position(|(_, take)| take.as_mut().now_or_never().map(drop).is_some());
            order.push(waiting.remove(at.expect("somebody has a turn")).0);
        }
        assert_eq!(order, ["a", "b", "c", "a"]);
        let table = turns.table();
        assert_eq!((table.free, table.running, table.waiting.len(), table.rotation.len()), (1, 0, 0, 0));
    }
}

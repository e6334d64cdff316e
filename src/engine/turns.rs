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
        self.wait(namespace, false).await
    }

    /// Waits for a turn after one that was given back before its work was done: nobody is next before it.
    pub async fn take_again(self: &Arc<Self>, namespace: &str) -> Turn {
        self.wait(namespace, true).await
    }

    async fn wait(self: &Arc<Self>, namespace: &str, first: bool) -> Turn {
        let (sender, receiver) = oneshot::channel();
        self.table().enqueue(namespace, sender, first);
        self.deal();
        // The sender is dropped only with the table, which lives as long as `self`.
        receiver.await.unwrap_or(Turn(None))
    }

    /// Deals out what is free.
    fn deal(self: &Arc<Self>) {
        loop {
            let Some(next) = self.table().next() else { break };
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
    fn enqueue(&mut self, namespace: &str, sender: oneshot::Sender<Turn>, first: bool) {
        let line = self.waiting.entry(namespace.to_owned()).or_default();
        if first {
            line.push_front(sender);
            self.rotation.retain(|other| other != namespace);
            self.rotation.push_front(namespace.to_owned());
        } else {
            line.push_back(sender);
            if line.len() == 1 {
                self.rotation.push_back(namespace.to_owned());
            }
        }
    }

    /// Who is next, if there is a turn: theirs from here on.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let namespace = if self.free > 0 { self.rotation.pop_front()? } else { return None };
        let line = self.waiting.get_mut(&namespace)?;
        let next = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&namespace);
        } else {
            self.rotation.push_back(namespace);
        }
        self.free -= 1;
        self.running += 1;
        Some(next)
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
    async fn whoever_gave_a_turn_back_is_the_next_one() {
        let turns = Turns::new(1, Arc::new(Silent));
        let first = turns.take("a").await;
        let mut others: Vec<_> = ["b", "a"].into_iter().map(|namespace| Box::pin(turns.take(namespace))).collect();
        assert!(others.iter_mut().all(|take| take.as_mut().now_or_never().is_none()));
        let mut again = Box::pin(turns.take_again("a"));
        assert!(again.as_mut().now_or_never().is_none());
        drop(first);
        assert!(others.iter_mut().all(|take| take.as_mut().now_or_never().is_none()));
        drop(again.await);
        // In rotation: behind the one that was first comes the other namespace.
        for other in others {
            drop(other.await);
        }
        assert_eq!(turns.table().free, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_turn_is_dealt_twice() {
        let turns = Turns::new(3, Arc::new(Silent));
        let most = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let takers = (0..16).map(|taker| {
            let (turns, most) = (turns.clone(), most.clone());
            tokio::spawn(async move {
                for _ in 0..2_000 {
                    let _turn = turns.take(if taker % 2 == 0 { "a" } else { "b" }).await;
                    most.fetch_max(turns.table().running, std::sync::atomic::Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            })
        });
        for taker in takers.collect::<Vec<_>>() {
            taker.await.unwrap();
        }
        let table = turns.table();
        assert_eq!((table.free, table.running, most.load(std::sync::atomic::Ordering::SeqCst)), (3, 0, 3));
    }

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

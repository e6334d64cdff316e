//! How many logins a server gets from this process at once: servers limit them per account, and per address.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ports::Watch;

/// The servers that this process speaks to.
#[derive(Clone)]
pub struct Servers {
    logins: usize,
    doors: Arc<Mutex<HashMap<(String, u16), Weak<Semaphore>>>>,
    /// Who is told of waiting for one of them.
    watch: Option<Arc<dyn Watch>>,
}

/// The way in to one server.
#[derive(Clone)]
pub struct Door {
    places: Arc<Semaphore>,
    watch: Option<Arc<dyn Watch>>,
}

/// A place on a server, free again once this is dropped.
#[derive(Debug)]
pub struct Entry {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Servers {
    /// At most so many logins at once on each host and port; 0 counts as 1.
    pub fn new(logins: usize) -> Self {
        Self { logins: logins.max(1), doors: Arc::default(), watch: None }
    }

    /// The same servers, for work that tells when it has to wait for one of them.
    pub fn watched(&self, watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(watch), ..self.clone() }
    }

    /// The way in to the server on that host and port.
    pub fn door(&self, host: &str, port: u16) -> Door {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.retain(|_, door| door.strong_count() > 0);
        let known = doors.entry((host.to_lowercase(), port)).or_default();
        let door = known.upgrade().unwrap_or_else(|| {
            let door = Arc::new(Semaphore::new(self.logins));
            *known = Arc::downgrade(&door);
            door
        });
        Door { places: door, watch: self.watch.clone() }
    }
}

impl Default for Servers {
    /// 4 logins at once on each server.
    fn default() -> Self {
        Self::new(4)
    }
}

impl Door {
    /// Waits, in the order of coming, until the server has a place.
    pub async fn enter(&self) -> Entry {
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return Entry { _permit: Some(permit) };
        }
        if let Some(watch) = &self.watch {
            watch.waits();
        }
        // Never closed, so there always is one.
        let entry = Entry { _permit: self.places.clone().acquire_owned().await.ok() };
        if let Some(watch) = &self.watch {
            watch.goes_on().await;
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_server_has_so_many_places_and_each_server_its_own() {
        let servers = Servers::new(2);
        let enter = |host, port| servers.door(host, port).enter().now_or_never();
        let (first, second) = (enter("Files.example.com", 22), enter("files.example.com", 22));
        assert!(first.is_some() && second.is_some());
        assert!(enter("files.example.com", 22).is_none(), "two are in");
        assert!(enter("files.example.com", 2222).is_some() && enter("other.example.com", 22).is_some());
        drop(first);
        assert!(enter("files.example.com", 22).is_some(), "one has left");
    }

    /// Counts who waits.
    #[derive(Default)]
    struct Counts(Mutex<(u32, u32)>);

    #[async_trait::async_trait]
    impl Watch for Counts {
        fn at(&self, _: crate::model::progress::Progress) {}

        fn waits(&self) {
            self.0.lock().unwrap().0 += 1;
        }

        async fn goes_on(&self) {
            self.0.lock().unwrap().1 += 1;
        }
    }

    #[tokio::test]
    async fn whoever_has_to_wait_says_so() {
        let (servers, counts) = (Servers::new(1), Arc::new(Counts::default()));
        let door = servers.watched(counts.clone()).door("files.example.com", 22);
        let first = door.enter().await;
        assert_eq!(*counts.0.lock().unwrap(), (0, 0));
        let mut second = Box::pin(door.enter());
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(*counts.0.lock().unwrap(), (1, 0));
        drop(first);
        drop(second.await);
        assert_eq!(*counts.0.lock().unwrap(), (1, 1));
    }

    #[test]
    fn servers_that_nobody_speaks_to_are_forgotten() {
        let servers = Servers::default();
        (0..100).for_each(|port| drop(servers.door("files.example.com", port)));
        let kept = servers.door("files.example.com", 22);
        assert_eq!(servers.doors.lock().unwrap().len(), 1);
        drop(kept);
    }
}

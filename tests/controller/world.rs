//! A host in memory that keeps the rules of an API server (resource versions, preconditions), and work that does as it is
//! told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use usersync::{
    api::{UserSync, UserSyncRun, UserSyncRunStatus, UserSyncSpec, UserSyncStatus},
    control::{
        deliveries::standing,
        told::{failed, leaves},
    },
    engine::controller::{Controller, Options},
    model::{
        event::Event,
        file::Fetched,
        post::{Posted, Tidings},
        reason::Reason,
        secret::References,
        sync::{Candidate, Failure, Fitness, Found, Key, Tried, Unfinished},
        view::{Order, View},
    },
    ports::{Host, HostError, Observer, Watch, Work},
};

/// What there is.
#[derive(Default)]
pub struct Objects {
    pub syncs: BTreeMap<Key, UserSync>,
    pub runs: BTreeMap<String, UserSyncRun>,
    version: u64,
}

/// The world: objects, what was told, and how work goes.
pub struct World {
    pub objects: Mutex<Objects>,
    pub events: Mutex<Vec<String>>,
    /// Of the coming writes so many find that somebody was faster.
    pub conflicts: AtomicUsize,
    /// How the next runs end, in order; then Completed.
    pub ends: Mutex<Vec<End>>,
    /// The runs that were carried out: `NAMESPACE/NAME`, and the file pattern that their spec had.
    pub carried_out: Mutex<Vec<(String, Option<String>)>>,
    /// Runs at work; those that wait for their server are not.
    pub at_work: AtomicUsize,
    pub most_at_work: AtomicUsize,
    /// Syncs whose server is slow: who asks it waits until it is `open`, in front of its door if that is `full`.
    pub slow: Mutex<BTreeSet<String>>,
    pub full: AtomicBool,
    pub open: CancellationToken,
    /// What was asked: `look NAME`; and how many have no answer yet.
    pub asked: Mutex<Vec<String>>,
    pub unanswered: AtomicUsize,
    /// The runs that were forgotten; and whether that fails.
    pub forgotten: Mutex<Vec<String>>,
    pub keeps: AtomicBool,
    /// What runs whose server is slow leave to do, and still is left whenever it was tried to be finished.
    pub left: Mutex<Option<Unfinished>>,
    changed: mpsc::UnboundedSender<Key>,
    changes: Mutex<Option<mpsc::UnboundedReceiver<Key>>>,
}

/// How a run ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    With(Reason),
    /// When it is stopped.
    WhenStopped,
    Never,
    ByPanic,
    /// As soon as its server, which is full, is open.
    AtTheDoor,
    /// After so many milliseconds.
    After(u64),
    /// The same, and it asks before whether the run is still its own.
    Asking(u64),
}

struct Silent;
impl Observer for Silent {}

/// A controller at work.
pub struct Running {
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl World {
    pub fn new() -> Arc<Self> {
        let (changed, changes) = mpsc::unbounded_channel();
        Arc::new(Self {
            objects: Mutex::default(),
            events: Mutex::default(),
            conflicts: AtomicUsize::new(0),
            ends: Mutex::default(),
            carried_out: Mutex::default(),
            at_work: AtomicUsize::new(0),
            most_at_work: AtomicUsize::new(0),
            slow: Mutex::default(),
            full: AtomicBool::new(false),
            open: CancellationToken::new(),
            asked: Mutex::default(),
            unanswered: AtomicUsize::new(0),
            forgotten: Mutex::default(),
            keeps: AtomicBool::new(false),
            left: Mutex::default(),
            changed,
            changes: Mutex::new(Some(changes)),
        })
    }

    pub fn start(self: &Arc<Self>, max_concurrent_runs: usize, grace: Duration) -> Running {
        let options = Options { max_concurrent_runs, grace };
        let controller = Controller::new(self.clone(), self.clone(), Arc::new(Silent), options);
        let (sender, fresh) = mpsc::unbounded_channel();
        let mut changes = self.changes.lock().unwrap().take();
        for key in self.objects.lock().unwrap().syncs.keys() {
            sender.send(key.clone()).unwrap();
        }
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let world = self.clone();
        let task = tokio::spawn(async move {
            if let Some(changes) = &mut changes {
                let both = futures::stream::select(stream(fresh), Box::pin(borrowed(changes)));
                controller.run(Box::pin(both), ended).await;
            }
            *world.changes.lock().unwrap() = changes;
        });
        Running { stop, task }
    }

    /// Makes a sync, or changes one.
    pub fn put(&self, namespace: &str, name: &str, change: impl FnOnce(&mut UserSync)) {
        let key = Key { namespace: namespace.into(), name: name.into() };
        let mut objects = self.objects.lock().unwrap();
        objects.version += 1;
        let version = objects.version.to_string();
        let sync = objects.syncs.entry(key.clone()).or_insert_with(|| fresh(namespace, name));
        let before = sync.spec.clone();
        change(sync);
        if sync.spec != before {
            *sync.metadata.generation.as_mut().unwrap() += 1;
        }
        sync.metadata.resource_version = Some(version);
        drop(objects);
        self.changed.send(key).unwrap();
    }

    pub fn delete(&self, namespace: &str, name: &str) {
        let key = Key { namespace: namespace.into(), name: name.into() };
        let mut objects = self.objects.lock().unwrap();
        objects.syncs.remove(&key);
        objects.runs.retain(|_, run| run.spec.sync != name);
        drop(objects);
        self.changed.send(key).unwrap();
    }

    pub fn annotate(&self, namespace: &str, name: &str, annotation: &str, value: &str) {
        self.put(namespace, name, |sync| {
            sync.metadata.annotations.get_or_insert_default().insert(annotation.into(), value.into());
        });
    }

    pub fn status(&self, namespace: &str, name: &str) -> UserSyncStatus {
        let key = Key { namespace: namespace.into(), name: name.into() };
        self.objects.lock().unwrap().syncs.get(&key).and_then(|sync| sync.status.clone()).unwrap_or_default()
    }

    /// Another process writes into the one run there is: that it carries it on, or how it ended.
    pub fn elsewhere(&self, status: UserSyncRunStatus) {
        let mut objects = self.objects.lock().unwrap();
        objects.version += 1;
        let version = objects.version.to_string();
        let run = objects.runs.values_mut().next().unwrap();
        run.status = Some(through_the_api(&status));
        run.metadata.resource_version = Some(version);
        let (namespace, name) = (run.metadata.namespace.clone().unwrap(), run.spec.sync.clone());
        drop(objects);
        self.changed.send(Key { namespace, name }).unwrap();
    }

    /// `REASON` of each run, in order of their names; `-` for one that has not ended.
    pub fn reasons(&self) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let reason = |run: &UserSyncRun| {
            usersync::control::cause::ended(run).map_or_else(|| "-".to_owned(), |(_, reason, _)| reason.to_owned())
        };
        objects.runs.values().map(reason).collect()
    }

    /// Waits until it is so.
    pub async fn until(&self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        for _ in 0..3000 {
            if so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}; runs {:?}, events {:?}", self.reasons(), self.events.lock().unwrap());
    }

    /// How often that was asked.
    pub fn count(&self, asked: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|known| *known == asked).count()
    }

    async fn ask(&self, what: &str, sync: &UserSync, watch: Arc<dyn Watch>) {
        let name = sync.metadata.name.clone().unwrap();
        self.asked.lock().unwrap().push(format!("{what} {name}"));
        if !self.slow.lock().unwrap().contains(&name) {
            return;
        }
        self.unanswered.fetch_add(1, Ordering::SeqCst);
        let _leaves = Leaves(&self.unanswered);
        let full = self.full.load(Ordering::SeqCst);
        if full {
            watch.waits();
        }
        self.open.cancelled().await;
        if full {
            watch.goes_on().await;
        }
    }

    fn conflict(&self) -> Result<(), HostError> {
        let some = self.conflicts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if some.is_ok() { Err(HostError::Conflict("somebody was faster".into())) } else { Ok(()) }
    }

    fn view(&self, key: &Key, live: bool) -> Option<View> {
        let objects = self.objects.lock().unwrap();
        let sync = objects.syncs.get(key)?.clone();
        let runs = objects.runs.values().filter(|run| run.spec.sync == key.name).cloned().collect();
        Some(View { sync: Ok(sync), runs, live, target_required: false, bounds: None })
    }
}

fn stream(receiver: mpsc::UnboundedReceiver<Key>) -> impl futures::Stream<Item = Key> + Send {
    futures::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) })
}

fn borrowed(receiver: &mut mpsc::UnboundedReceiver<Key>) -> impl futures::Stream<Item = Key> + Send {
    futures::stream::unfold(receiver, |receiver| async { Some((receiver.recv().await?, receiver)) })
}

fn fresh(namespace: &str, name: &str) -> UserSync {
    let spec = "{source: {directory: {path: in}}, mapping: {userId: {column: id}}}";
    let mut sync = UserSync::new(name, serde_yaml::from_str(spec).unwrap());
    sync.metadata = ObjectMeta {
        name: Some(name.into()),
        namespace: Some(namespace.into()),
        uid: Some(format!("uid-{namespace}-{name}")),
        generation: Some(1),
        creation_timestamp: Some(Time(Timestamp::now())),
        ..ObjectMeta::default()
    };
    sync
}

#[async_trait]
impl Host for World {
    async fn cached(&self, key: &Key) -> Result<Option<View>, HostError> {
        Ok(self.view(key, false))
    }

    async fn live(&self, key: &Key) -> Result<Option<View>, HostError> {
        Ok(self.view(key, true))
    }

    async fn write_status(&self, of: &ObjectMeta, status: &UserSyncStatus) -> Result<Option<String>, HostError> {
        self.conflict()?;
        let key = Key { namespace: of.namespace.clone().unwrap(), name: of.name.clone().unwrap() };
        let mut objects = self.objects.lock().unwrap();
        objects.version += 1;
        let version = objects.version.to_string();
        let sync = objects.syncs.get_mut(&key).ok_or_else(|| HostError::Gone("gone".into()))?;
        if sync.metadata.resource_version != of.resource_version {
            return Err(HostError::Conflict("changed".into()));
        }
        sync.status = Some(through_the_api(status));
        sync.metadata.resource_version = Some(version.clone());
        drop(objects);
        self.changed.send(key).unwrap();
        Ok(Some(version))
    }

    async fn create_run(&self, run: &UserSyncRun) -> Result<(), HostError> {
        let mut objects = self.objects.lock().unwrap();
        let name = run.metadata.name.clone().unwrap();
        if objects.runs.contains_key(&name) {
            return Err(HostError::Exists("exists".into()));
        }
        objects.version += 1;
        let mut run: UserSyncRun = through_the_api(run);
        run.metadata.resource_version = Some(objects.version.to_string());
        run.metadata.creation_timestamp = Some(Time(Timestamp::now()));
        objects.runs.insert(name, run);
        Ok(())
    }

    async fn write_run(&self, of: &ObjectMeta, status: &UserSyncRunStatus) -> Result<Option<String>, HostError> {
        self.conflict()?;
        let mut objects = self.objects.lock().unwrap();
        objects.version += 1;
        let version = objects.version.to_string();
        let run = objects.runs.get_mut(of.name.as_ref().unwrap()).ok_or_else(|| HostError::Gone("gone".into()))?;
        if run.metadata.resource_version != of.resource_version {
            return Err(HostError::Conflict("changed".into()));
        }
        assert!(usersync::control::cause::ended(run).is_none(), "a run that has ended is written again");
        run.status = Some(through_the_api(status));
        run.metadata.resource_version = Some(version.clone());
        Ok(Some(version))
    }

    async fn delete_run(&self, of: &ObjectMeta) -> Result<(), HostError> {
        self.objects.lock().unwrap().runs.remove(of.name.as_ref().unwrap());
        Ok(())
    }

    async fn references(&self, _: &str, _: &UserSyncSpec) -> Result<References, HostError> {
        Ok(References::default())
    }

    async fn tell(&self, _: &ObjectMeta, event: &Event) {
        self.events.lock().unwrap().push(event.kind.to_string());
    }
}

#[async_trait]
impl Work for World {
    async fn probe(&self, _: &UserSync, login: bool, _: Arc<dyn Watch>) -> Result<Fitness, HostError> {
        Ok(Fitness { references: String::new(), found: login.then_some(Found { source: Ok(()), target: Ok(()) }) })
    }

    async fn look(&self, sync: &UserSync, _: &[Tried], watch: Arc<dyn Watch>) -> Result<Option<Candidate>, Failure> {
        self.ask("look", sync, watch).await;
        Ok(None)
    }

    async fn finish(
        &self,
        sync: &UserSync,
        _: &[Fetched],
        watch: Arc<dyn Watch>,
    ) -> Result<Option<Unfinished>, Failure> {
        self.ask("finish", sync, watch).await;
        Ok(self.left.lock().unwrap().clone())
    }

    async fn deliver(&self, _: &UserSync, runs: &[UserSyncRun]) -> Vec<Tidings> {
        let sent = |run: &UserSyncRun| Tidings {
            run: run.metadata.name.clone().unwrap(),
            deliveries: standing(run).into_iter().map(|one| Posted::Sent.delivery(one.kind, &one.to)).collect(),
        };
        runs.iter().map(sent).collect()
    }

    async fn forget(&self, run: &UserSyncRun) -> Result<(), String> {
        let name = run.metadata.name.clone().unwrap();
        // Its object goes after what is kept of it. A look from before that may still have it, and then it is asked once more.
        let there = self.objects.lock().unwrap().runs.contains_key(&name);
        let mut forgotten = self.forgotten.lock().unwrap();
        assert!(there || forgotten.contains(&name));
        forgotten.push(name);
        if self.keeps.load(Ordering::SeqCst) { Err("the store is down".into()) } else { Ok(()) }
    }

    async fn run(&self, order: &Order, watch: Arc<dyn Watch>) -> Result<UserSyncRunStatus, HostError> {
        let at_work = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_work.fetch_max(at_work, Ordering::SeqCst);
        let _leaves = Leaves(&self.at_work);
        let namespace = order.run.metadata.namespace.clone().unwrap();
        let spec = &order.run.spec;
        let what = (format!("{namespace}/{}", spec.sync), spec.sync_spec.source.files.clone());
        self.carried_out.lock().unwrap().push(what);
        let end = {
            let mut ends = self.ends.lock().unwrap();
            if ends.is_empty() { End::With(Reason::Completed) } else { ends.remove(0) }
        };
        let reason = match end {
            End::With(reason) => reason,
            End::Never => std::future::pending().await,
            End::AtTheDoor => {
                self.at_work.fetch_sub(1, Ordering::SeqCst);
                watch.waits();
                self.open.cancelled().await;
                watch.goes_on().await;
                let at_work = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_at_work.fetch_max(at_work, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                Reason::Completed
            }
            End::ByPanic => panic!("as told"),
            End::After(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Reason::Completed
            }
            End::Asking(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                watch.ours().await.map_err(HostError::Conflict)?;
                Reason::Completed
            }
            End::WhenStopped => {
                while !watch.stopped() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Reason::Stopped
            }
        };
        let mut status = failed(reason, "as told", Timestamp::now());
        if reason == Reason::Completed {
            status.conditions[0].status = "True".into();
        }
        let slow = self.slow.lock().unwrap().contains(&spec.sync);
        if let Some(left) = self.left.lock().unwrap().as_ref().filter(|_| slow) {
            leaves(&mut status, left, Timestamp::now());
        }
        Ok(status)
    }
}

struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn through_the_api<T: serde::Serialize + serde::de::DeserializeOwned>(object: &T) -> T {
    serde_json::from_value(serde_json::to_value(object).unwrap()).unwrap()
}

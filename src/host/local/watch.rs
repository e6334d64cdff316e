//! Sees that the manifests, or what people ask, have changed: by the system's notifications where there are any, and by
//! looking now and then, since network file systems and folders that were made anew tell nobody.

use std::{
    collections::BTreeSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{Stream, stream};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    folder::{LocalHost, Reloaded},
    manifests::manifest,
    runs::sync_of,
};
use crate::model::sync::Key;

/// A burst of changes, such as a `git pull`, has ended when nothing more came for this long.
const QUIET: Duration = Duration::from_millis(300);
/// A burst that doesn't end is read all the same.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is missing is looked for again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// How often to look where the system tells nothing.
const POLL: Duration = Duration::from_secs(1);
/// How often to look where it does.
const GLANCE: Duration = Duration::from_secs(10);

/// The syncs that have changed, as they do; first of all every one; also what this process writes itself.
pub fn changes(host: LocalHost, stop: CancellationToken) -> impl Stream<Item = Key> + Send + Unpin {
    let (keys, seen) = mpsc::unbounded_channel();
    host.echo_to(keys.clone());
    let (events, noticed) = mpsc::unbounded_channel();
    let watcher = Watching::new(&host, events);
    tokio::spawn(
        Loop { host, watcher, keys, manifests: Some(Due::now()), syncs: BTreeSet::new(), all: false }
            .run(noticed, stop),
    );
    Box::pin(stream::unfold(seen, |mut seen| async { seen.recv().await.map(|key| (key, seen)) }))
}

/// Part of what is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Noticed {
    Manifests,
    /// What is kept of one sync.
    Sync(Key),
    /// What is kept of any.
    State,
    /// The folder itself was moved or removed.
    Folder,
}

/// When to read, and since when there is something to read.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    since: Instant,
}

impl Due {
    fn now() -> Self {
        let now = Instant::now();
        Self { at: now, since: now }
    }

    /// After one more change.
    fn pushed(due: Option<Self>) -> Self {
        let now = Instant::now();
        let since = due.map_or(now, |due| due.since);
        Self { at: (now + QUIET).min(since + PATIENCE), since }
    }
}

struct Loop {
    host: LocalHost,
    watcher: Watching,
    keys: mpsc::UnboundedSender<Key>,
    manifests: Option<Due>,
    /// To be looked at again; with `all`, every one.
    syncs: BTreeSet<Key>,
    all: bool,
}

impl Loop {
    async fn run(mut self, mut noticed: mpsc::UnboundedReceiver<Noticed>, stop: CancellationToken) {
        let mut print = Prints::default();
        let mut glance = Instant::now();
        loop {
            let next = self.manifests.map_or(glance, |due| due.at.min(glance));
            tokio::select! {
                () = stop.cancelled() => return,
                some = noticed.recv() => match some {
                    Some(Noticed::Manifests) => self.manifests = Some(Due::pushed(self.manifests)),
                    Some(Noticed::Sync(key)) => drop(self.syncs.insert(key)),
                    Some(Noticed::State) => self.all = true,
                    Some(Noticed::Folder) => glance = Instant::now(),
                    // The watcher never goes away by itself.
                    None => return,
                },
                () = sleep_until(next) => {}
            }
            let now = Instant::now();
            if glance <= now {
                self.watcher.renew(&self.host);
                glance = now + if self.watcher.told() { GLANCE } else { POLL };
                let seen = Prints::of(&self.host);
                if seen.manifests != print.manifests {
                    self.manifests = Some(Due::pushed(self.manifests));
                }
                self.all |= seen.state != print.state;
                print = seen;
            }
            if !self.read(now).await {
                return;
            }
        }
    }

    /// Reads what is due. False: nobody listens any more.
    async fn read(&mut self, now: Instant) -> bool {
        let manifests = self.manifests.is_some_and(|due| due.at <= now);
        if !manifests && !self.all && self.syncs.is_empty() {
            return true;
        }
        let (all, syncs) = (std::mem::take(&mut self.all), std::mem::take(&mut self.syncs));
        let host = self.host.clone();
        let read = tokio::task::spawn_blocking(move || match (manifests, all) {
            (true, _) => host.reload(),
            (false, true) => Reloaded { changed: host.refresh(None), again: false },
            (false, false) => {
                Reloaded { changed: syncs.iter().flat_map(|key| host.refresh(Some(key))).collect(), again: false }
            }
        });
        let Ok(reloaded) = read.await else { return true };
        if manifests {
            self.manifests = reloaded.again.then(|| Due { at: now + AGAIN, since: now });
        }
        reloaded.changed.into_iter().all(|key| self.keys.send(key).is_ok())
    }
}

/// The system's notifications, as far as there are any.
struct Watching {
    events: mpsc::UnboundedSender<Noticed>,
    watcher: Option<RecommendedWatcher>,
    /// The folder that is watched: another one may have taken its name.
    folder: Option<(u64, u64)>,
    failed: bool,
}

impl Watching {
    fn new(host: &LocalHost, events: mpsc::UnboundedSender<Noticed>) -> Self {
        let mut watching = Self { events, watcher: None, folder: None, failed: false };
        watching.renew(host);
        watching
    }

    /// Whether the system tells what happens.
    fn told(&self) -> bool {
        self.watcher.is_some()
    }

    /// Watches anew if the folder is another one than is watched.
    fn renew(&mut self, host: &LocalHost) {
        let is = fs::metadata(host.folder()).ok().map(|is| (is.dev(), is.ino()));
        if is == self.folder && (self.told() || self.failed) {
            return;
        }
        self.folder = is;
        self.watcher = None;
        if is.is_none() {
            return;
        }
        match self.watch(host) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) if !self.failed => {
                self.failed = true;
                let folder = host.folder().display();
                tracing::warn!("{folder}: the system can't tell of changes ({error}): it is looked at every second");
            }
            Err(_) => {}
        }
    }

    fn watch(&self, host: &LocalHost) -> notify::Result<RecommendedWatcher> {
        // Events name files as they are watched, and absolutely.
        let (folder, root) = (std::path::absolute(host.folder())?, std::path::absolute(host.state().root())?);
        let events = self.events.clone();
        let (a, b) = (folder.clone(), root.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let noticed = match &event {
                Ok(event) => kinds(event, &a, &b),
                Err(_) => [Noticed::Folder].into(),
            };
            for noticed in noticed {
                let _ = events.send(noticed);
            }
        })?;
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        for kind in ["requests", "runs"] {
            let kind = root.join(kind);
            if let Err(error) = fs::create_dir_all(&kind) {
                tracing::warn!("{}: {error}", kind.display());
            }
            watcher.watch(&kind, RecursiveMode::Recursive)?;
        }
        Ok(watcher)
    }
}

/// What an event means, if anything.
fn kinds(event: &Event, folder: &Path, root: &Path) -> BTreeSet<Noticed> {
    if event.need_rescan() {
        return [Noticed::Manifests, Noticed::State].into();
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return BTreeSet::new();
    }
    event.paths.iter().filter_map(|path| kind(path, folder, root)).collect()
}

fn kind(path: &Path, folder: &Path, root: &Path) -> Option<Noticed> {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let kept = |kind: &str| path.strip_prefix(root.join(kind)).ok();
    if path == folder {
        Some(Noticed::Folder)
    } else if hidden {
        None
    } else if let Some(below) = kept("requests").or_else(|| kept("runs")) {
        let run = path.starts_with(root.join("runs"));
        Some(sync(below, run).map_or(Noticed::State, Noticed::Sync))
    } else if path.parent() == Some(folder) {
        manifest(path).then_some(Noticed::Manifests)
    } else {
        None
    }
}

/// The sync of `NAMESPACE/NAME.yaml` or `NAMESPACE/RUN.yaml`, as far as the path says it.
fn sync(below: &Path, run: bool) -> Option<Key> {
    let namespace = below.parent()?.to_str().filter(|namespace| !namespace.is_empty())?;
    let name = below.file_name()?.to_str()?.strip_suffix(".yaml")?;
    let name = if run { sync_of(name)? } else { name };
    Some(Key { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// How the files look from outside.
#[derive(Default)]
struct Prints {
    manifests: u64,
    state: u64,
}

impl Prints {
    fn of(host: &LocalHost) -> Self {
        let mut manifests = DefaultHasher::new();
        let mut files: Vec<PathBuf> = entries(host.folder()).filter(|path| manifest(path)).collect();
        files.sort();
        for file in files {
            (&file, look(&file)).hash(&mut manifests);
        }
        let mut state = DefaultHasher::new();
        for kind in ["requests", "runs"] {
            // Each write there exchanges a file, which changes its folder.
            let folder = host.state().root().join(kind);
            let mut folders: Vec<PathBuf> = entries(&folder).collect();
            folders.sort();
            for folder in folders {
                (&folder, look(&folder)).hash(&mut state);
            }
        }
        Self { manifests: manifests.finish(), state: state.finish() }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

fn look(path: &Path) -> Option<(u64, u64, i64, i64)> {
    let is = fs::metadata(path).ok()?;
    Some((is.ino(), is.size(), is.mtime(), is.mtime_nsec()))
}

//! Reports in a folder: `ROOT/NAMESPACE/SYNC/RUN/…`.

mod removal;

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use jiff::Timestamp;

use self::removal::{older, remove};
use super::names::{folders, located, plain_file, staged_names as names};
use crate::{
    model::{job::SyncId, report::Reports},
    ports::{Aged, READ, ReportError, ReportStore},
};

/// A report store in a folder. Reports hold people's particulars: what it makes is for its own account only (0700).
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Reports under `root`, which is made when the first one is published.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn place(&self, sync: &SyncId, run: &str) -> PathBuf {
        self.root.join(&sync.namespace).join(&sync.name).join(run)
    }
}

#[async_trait]
impl ReportStore for Folder {
    fn locate(&self, sync: &SyncId, run: &str, names: &[String]) -> Reports {
        located_in(&self.place(sync, run), names)
    }

    async fn publish(&self, sync: &SyncId, run: &str, staged: &Path) -> Result<Reports, ReportError> {
        folders(sync, run)?;
        let (place, staged) = (self.place(sync, run), staged.to_owned());
        let failed = {
            let place = place.clone();
            move |error: String| {
                ReportError(format!(
                    "the report could not be put into {}: {error}. It stays in the spool folder and is published by the next run; see \
                     that the folder can be written and has room",
                    place.display()
                ))
            }
        };
        let published = tokio::task::spawn_blocking(move || {
            let names = publish(&staged, &place).map_err(|e| e.to_string())?;
            Ok::<_, String>(located_in(&place, &names))
        });
        match published.await {
            Ok(result) => result.map_err(failed),
            Err(stopped) => Err(failed(stopped.to_string())),
        }
    }

    async fn remove(&self, sync: &SyncId, run: &str) -> Result<(), ReportError> {
        folders(sync, run)?;
        let (root, place) = (self.root.clone(), self.place(sync, run));
        let (sync, run) = (sync.clone(), run.to_owned());
        let removed = tokio::task::spawn_blocking(move || remove(&root, &sync, &run));
        let failed = |why: String| {
            ReportError(format!(
                "the report {} can't be removed: {why}; see that the folder can be written",
                place.display()
            ))
        };
        removed.await.map_err(|stopped| failed(stopped.to_string()))?.map_err(|error| failed(error.to_string()))
    }

    async fn older(&self, than: Timestamp) -> Result<Vec<Aged>, ReportError> {
        let root = self.root.clone();
        let found = tokio::task::spawn_blocking(move || older(&root, than));
        let failed = |why: String| {
            let root = self.root.display();
            ReportError(format!(
                "which reports in {root} are old can't be said: {why}; see that the folder can be read"
            ))
        };
        found.await.map_err(|stopped| failed(stopped.to_string()))?.map_err(|error| failed(error.to_string()))
    }

    async fn read(&self, sync: &SyncId, run: &str, name: &str) -> Result<Option<Vec<u8>>, ReportError> {
        folders(sync, run)?;
        let path = self.place(sync, run).join(plain_file(name)?);
        let failed = {
            let path = path.clone();
            move |error: String| ReportError(format!("the report {} can't be read: {error}", path.display()))
        };
        let read = tokio::task::spawn_blocking(move || read(&path).map_err(|error| error.to_string()));
        match read.await {
            Ok(result) => result.map_err(failed),
            Err(stopped) => Err(failed(stopped.to_string())),
        }
    }
}

/// The file's bytes; None: there is no such file.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(READ + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > READ {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {READ} bytes")));
    }
    Ok(Some(bytes))
}

fn located_in(place: &Path, names: &[String]) -> Reports {
    located(names, |name| place.join(name).to_string_lossy().into_owned())
}

/// Brings the staged files to their place, all at once, and says their names.
fn publish(staged: &Path, place: &Path) -> io::Result<Vec<String>> {
    let names = names(staged)?;
    if same(staged, place, &names)? {
        return Ok(names);
    }
    let parent = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folders(parent)?;
    let run = place.file_name().unwrap_or_default().to_string_lossy();
    let private = Permissions::from_mode(0o700);
    let hidden = |what: &str| {
        let prefix = format!(".{run}-{what}-");
        tempfile::Builder::new().prefix(&prefix).permissions(private.clone()).tempdir_in(parent)
    };
    let fresh = hidden("new")?;
    for name in &names {
        let to = fresh.path().join(name);
        // The same file twice costs no room; on another file system it is copied.
        fs::hard_link(staged.join(name), &to).or_else(|_| fs::copy(staged.join(name), &to).map(drop))?;
        File::open(&to)?.sync_all()?;
    }
    File::open(fresh.path())?.sync_all()?;
    if place.symlink_metadata().is_ok() {
        // An earlier attempt of this run left another report. A crash between the two renames leaves none, and then the
        // run's open step publishes it again.
        let old = hidden("old")?;
        fs::rename(place, old.path().join("report"))?;
        fs::rename(fresh.path(), place)?;
    } else {
        fs::rename(fresh.path(), place)?;
    }
    // It has its new name: nothing is left to remove.
    let _ = fresh.keep();
    File::open(parent)?.sync_all()?;
    Ok(names)
}

/// Whether the place has these files with this content, and no others.
fn same(staged: &Path, place: &Path, wanted: &[String]) -> io::Result<bool> {
    match place.symlink_metadata() {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(other) => return Err(other),
        Ok(there) if !there.is_dir() => return Ok(false),
        Ok(_) => {}
    }
    if names(place).ok().as_deref() != Some(wanted) {
        return Ok(false);
    }
    for name in wanted {
        if !same_content(&staged.join(name), &place.join(name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_content(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (meta_a, meta_b) = (a.metadata()?, b.metadata()?);
    if (meta_a.dev(), meta_a.ino()) == (meta_b.dev(), meta_b.ino()) {
        return Ok(true);
    }
    if meta_a.len() != meta_b.len() {
        return Ok(false);
    }
    let (mut part_a, mut part_b) = (Vec::new(), Vec::new());
    loop {
        part_a.clear();
        part_b.clear();
        (&mut a).take(1 << 16).read_to_end(&mut part_a)?;
        (&mut b).take(1 << 16).read_to_end(&mut part_b)?;
        if part_a != part_b {
            return Ok(false);
        }
        if part_a.is_empty() {
            return Ok(true);
        }
    }
}

/// Makes a folder and those above it, and sees that their names survive a crash.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make_folders(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(if above.as_os_str().is_empty() { Path::new(".") } else { above })?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(namespace: &str, name: &str) -> SyncId {
        SyncId { instance: "usersync".into(), namespace: namespace.into(), name: name.into() }
    }

    fn stage(folder: &Path, files: &[(&str, &str)]) -> PathBuf {
        let staged = folder.join("staged");
        let _ = fs::remove_dir_all(&staged);
        fs::create_dir(&staged).unwrap();
        files.iter().for_each(|(name, content)| fs::write(staged.join(name), content).unwrap());
        staged
    }

    #[tokio::test]
    async fn files_come_to_their_place_at_once_and_once() {
        let temp = tempfile::tempdir().unwrap();
        let store = Folder::new(temp.path().join("a/reports"));
        let hr = sync("default", "hr");
        let files = [("report.json", "{}"), ("changes.csv.gz", "c"), ("users_rejects.csv", "r")];
        let staged = stage(temp.path(), &files);
        let reports = store.publish(&hr, "hr-1", &staged).await.unwrap();
        let place = temp.path().join("a/reports/default/hr/hr-1");
        let at = |name: &str| Some(place.join(name).to_string_lossy().into_owned());
        assert_eq!(reports.report, at("report.json"));
        assert_eq!(reports.changes, at("changes.csv.gz"));
        assert_eq!(reports.rejects, at("users_rejects.csv"));
        assert_eq!((&reports.html, &reports.records), (&None, &None));
        assert_eq!(reports, store.locate(&hr, "hr-1", &files.map(|(name, _)| name.to_owned())));
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&staged).unwrap().count(), 3);

        let before = fs::metadata(&place).unwrap().ino();
        let staged = stage(temp.path(), &files);
        assert_eq!(store.publish(&hr, "hr-1", &staged).await.unwrap(), reports);
        assert_eq!(fs::metadata(&place).unwrap().ino(), before, "what is there stays");
    }

    #[tokio::test]
    async fn a_later_attempt_replaces_the_whole_report() {
        let temp = tempfile::tempdir().unwrap();
        let store = Folder::new(temp.path().join("reports"));
        let hr = sync("default", "hr");
        let staged = stage(temp.path(), &[("report.json", "1"), ("users_rejects.csv", "r")]);
        store.publish(&hr, "hr-1", &staged).await.unwrap();
        let staged = stage(temp.path(), &[("report.json", "2")]);
        let reports = store.publish(&hr, "hr-1", &staged).await.unwrap();
        assert_eq!(reports.rejects, None);
        let place = temp.path().join("reports/default/hr");
        assert_eq!(fs::read_to_string(place.join("hr-1/report.json")).unwrap(), "2");
        assert!(!place.join("hr-1/users_rejects.csv").exists());
        let left: Vec<_> = fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["hr-1"], "nothing hidden is left behind");
    }

    #[tokio::test]
    async fn names_that_lead_elsewhere_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("reports");
        let store = Folder::new(root.clone());
        let staged = stage(temp.path(), &[("report.json", "1")]);
        for (namespace, name, run) in [
            ("..", "hr", "hr-1"),
            ("default", "../x", "hr-1"),
            ("default", "hr", "/etc"),
            ("default", "hr", ""),
            ("default", "hr", ".hidden"),
            ("default", "a\0b", "hr-1"),
            ("default", "hr", "a b"),
        ] {
            let error = store.publish(&sync(namespace, name), run, &staged).await.unwrap_err();
            assert!(error.0.contains("no Kubernetes name"), "{error}");
        }
        assert!(!root.exists());
        let staged = stage(temp.path(), &[]);
        std::os::unix::fs::symlink("/etc/passwd", staged.join("report.json")).unwrap();
        let error = store.publish(&sync("default", "hr"), "hr-1", &staged).await.unwrap_err();
        assert!(error.0.contains("report.json is no regular file"), "{error}");
    }

    #[tokio::test]
    async fn a_root_that_is_a_file_says_so() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("reports"), "").unwrap();
        let store = Folder::new(temp.path().join("reports"));
        let staged = stage(temp.path(), &[("report.json", "1")]);
        let error = store.publish(&sync("default", "hr"), "hr-1", &staged).await.unwrap_err();
        assert!(error.0.contains("reports/default/hr/hr-1"), "{error}");
    }
}

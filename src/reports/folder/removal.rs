//! Removal of reports from a folder that may hold other things as well: only what has the names of reports, in real folders three
//! deep; no link is followed.

use std::{
    collections::BTreeSet,
    ffi::CStr,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use jiff::Timestamp;
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat, unlinkat},
    io::Errno,
};

use crate::{
    control::cause::may_be_of,
    model::{job::SyncId, sync::Key},
    ports::{AGED, Aged},
    reports::names::{WHOLE, is_folder, is_report},
};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Removes the report of a run, with what a killed process left while it published it. What else lies there stays.
pub(super) fn remove(root: &Path, sync: &SyncId, run: &str) -> io::Result<()> {
    let Some(folder) = opened(CWD, root)? else { return Ok(()) };
    let Some(folder) = within(&folder, &sync.namespace)? else { return Ok(()) };
    let Some(folder) = within(&folder, &sync.name)? else { return Ok(()) };
    remove_in(&folder, run)?;
    for name in names(&folder)?.iter().filter(|name| half_published(name) == Some(run)) {
        if let Some(half) = within(&folder, name)? {
            // The report that was there before, put aside.
            remove_in(&half, "report")?;
        }
        remove_in(&folder, name)?;
    }
    Ok(())
}

/// Removes the report in the folder `name`, and the folder if nothing else is in it.
fn remove_in(parent: &OwnedFd, name: &str) -> io::Result<()> {
    let Some(folder) = within(parent, name)? else { return Ok(()) };
    let mut files = reports(&folder)?;
    // Without this one the rest is no report any more, however far this gets.
    files.sort_by_key(|(name, _)| name != WHOLE);
    for (file, _) in files {
        gone(unlinkat(&folder, &file, AtFlags::empty()))?;
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
        done => Ok(done?),
    }
}

/// The runs whose reports were last written to before that moment, as far as the folder's owner may see them.
pub(super) fn older(root: &Path, than: Timestamp) -> io::Result<Vec<Aged>> {
    let mut found = Vec::new();
    let Some(root) = opened(CWD, root)? else { return Ok(found) };
    for namespace in names(&root)?.into_iter().filter(|name| is_folder(name)) {
        let Some(syncs) = readable(within(&root, &namespace))? else { continue };
        for sync in names(&syncs)?.into_iter().filter(|name| is_folder(name)) {
            let Some(runs) = readable(within(&syncs, &sync))? else { continue };
            for run in old_runs(&runs, &sync, than)? {
                found.push(Aged { sync: Key { namespace: namespace.clone(), name: sync.clone() }, run });
                if found.len() == AGED {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

/// The runs of a sync's folder that are that old.
fn old_runs(folder: &OwnedFd, sync: &str, than: Timestamp) -> io::Result<BTreeSet<String>> {
    let (mut old, mut fresh) = (BTreeSet::new(), BTreeSet::new());
    for name in names(folder)? {
        let run = half_published(&name).unwrap_or(&name).to_owned();
        if !may_be_of(&run, sync) {
            continue;
        }
        let Some(opened) = readable(within(folder, &name))? else { continue };
        let mut files = reports(&opened)?;
        if name != run
            && let Some(before) = within(&opened, "report")?
        {
            files.extend(reports(&before)?);
        }
        match files.iter().map(|(_, written)| *written).max() {
            Some(last) if last < than.as_second() => old.insert(run),
            Some(_) => fresh.insert(run),
            None => false,
        };
    }
    Ok(old.difference(&fresh).cloned().collect())
}

/// The run whose report a process was about to publish in this hidden folder when it was killed.
fn half_published(name: &str) -> Option<&str> {
    let (name, _made_up) = name.strip_prefix('.')?.rsplit_once('-')?;
    let run = name.strip_suffix("-new").or_else(|| name.strip_suffix("-old"))?;
    is_folder(run).then_some(run)
}

/// The regular files in a folder that have the names of reports, with the second in which they were written.
fn reports(folder: &OwnedFd) -> io::Result<Vec<(String, i64)>> {
    let mut found = Vec::new();
    for name in names(folder)?.into_iter().filter(|name| is_report(name)) {
        match statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if kind(&stat) == FileType::RegularFile => found.push((name, stat.st_mtime)),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// What a folder holds; what is no UTF-8 is no report's.
fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = CStr::to_str(entry.file_name()).ok().filter(|name| ![".", ".."].contains(name));
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Opens a folder in a folder. None: there is none of that name; a link is none.
fn within(folder: &OwnedFd, name: &str) -> io::Result<Option<OwnedFd>> {
    match openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// Somebody else's folder is none of ours.
fn readable(opened: io::Result<Option<OwnedFd>>) -> io::Result<Option<OwnedFd>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        opened => opened,
    }
}

/// Opens the root, which may be a link: that is its owner's affair.
fn opened(at: BorrowedFd<'_>, path: &Path) -> io::Result<Option<OwnedFd>> {
    match openat(at.as_fd(), path, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

fn gone(removed: Result<(), Errno>) -> io::Result<()> {
    match removed {
        Err(Errno::NOENT) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::PathBuf,
        time::{Duration, SystemTime},
    };

    use super::*;

    const RUN: &str = "hr-0123456789abcdef0123";
    const OTHER: &str = "hr-ffffffffffffffffffff";

    fn hr() -> SyncId {
        SyncId { instance: String::new(), namespace: "people".into(), name: "hr".into() }
    }

    /// Writes a file that many days old, and the folders above it.
    fn put(root: &Path, path: &str, days: u64) -> PathBuf {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, path.as_os_str().as_encoded_bytes()).unwrap();
        let written = SystemTime::now() - Duration::from_secs(days * 86_400);
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        path
    }

    fn days_ago(days: i64) -> Timestamp {
        Timestamp::now() - jiff::SignedDuration::from_hours(24 * days)
    }

    fn aged(root: &Path, days: i64) -> Vec<String> {
        let found = older(root, days_ago(days)).unwrap();
        found.into_iter().map(|aged| format!("{}/{}", aged.sync, aged.run)).collect()
    }

    #[test]
    fn a_report_goes_and_what_lies_beside_it_stays() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        let place = format!("people/hr/{RUN}");
        for name in ["report.json", "report.html", "users_rejects.csv", "summary.eml"] {
            put(root, &format!("{place}/{name}"), 0);
        }
        let other = put(root, &format!("people/hr/{OTHER}/report.json"), 0);
        remove(root, &hr(), RUN).unwrap();
        assert!(!root.join(&place).exists() && other.exists());
        remove(root, &hr(), RUN).unwrap();

        put(root, &format!("{place}/report.json"), 0);
        let notes = put(root, &format!("{place}/notes.txt"), 0);
        fs::create_dir(root.join(&place).join("x_rejects.csv")).unwrap();
        remove(root, &hr(), RUN).unwrap();
        assert!(notes.exists() && !root.join(&place).join("report.json").exists());
        remove(&root.join("missing"), &hr(), RUN).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_goes_too() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        put(root, &format!("people/hr/.{RUN}-new-AbCdEf/report.html"), 9);
        put(root, &format!("people/hr/.{RUN}-old-AbCdEf/report/report.json"), 9);
        let others = put(root, &format!("people/hr/.{OTHER}-new-AbCdEf/report.html"), 1);
        assert_eq!(aged(root, 5), [format!("people/hr/{RUN}")]);
        remove(root, &hr(), RUN).unwrap();
        let left: Vec<_> = fs::read_dir(root.join("people/hr")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(others.exists());
    }

    #[test]
    fn links_are_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let (root, elsewhere) = (temp.path().join("reports"), temp.path().join("elsewhere"));
        let theirs = put(&elsewhere, &format!("hr/{RUN}/report.json"), 9);
        fs::create_dir_all(root.join("people")).unwrap();
        // The namespace, the sync, the run, a file: each a link out of here.
        symlink(&elsewhere, root.join("linked")).unwrap();
        symlink(elsewhere.join("hr"), root.join("people/hr")).unwrap();
        for (namespace, name) in [("linked", "hr"), ("people", "hr")] {
            let sync = SyncId { namespace: namespace.into(), name: name.into(), ..hr() };
            remove(&root, &sync, RUN).unwrap();
        }
        fs::remove_file(root.join("people/hr")).unwrap();
        fs::create_dir(root.join("people/hr")).unwrap();
        symlink(elsewhere.join("hr").join(RUN), root.join("people/hr").join(RUN)).unwrap();
        fs::create_dir(root.join("people/hr").join(OTHER)).unwrap();
        symlink(&theirs, root.join("people/hr").join(OTHER).join("report.json")).unwrap();
        assert_eq!(aged(&root, 5), Vec::<String>::new());
        remove(&root, &hr(), RUN).unwrap();
        remove(&root, &hr(), OTHER).unwrap();
        assert!(theirs.exists());
        assert!(root.join("people/hr").join(OTHER).join("report.json").is_symlink());
    }

    #[test]
    fn only_reports_of_runs_grow_old() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        put(root, &format!("people/hr/{RUN}/report.json"), 9);
        put(root, &format!("people/hr/{RUN}/report.html"), 9);
        // One file of it was written later.
        put(root, &format!("people/hr/{OTHER}/report.json"), 9);
        put(root, &format!("people/hr/{OTHER}/report.html"), 1);
        for other in
            ["people/hr/mails/report.json", "people/report.json", "a/b/c/d_rejects.csv", ".git/hr/x/report.json"]
        {
            put(root, other, 9);
        }
        put(root, &format!("people/pay/{RUN}/report.json"), 9);
        put(root, &format!("people/hr/{RUN}x/report.json"), 9);
        put(root, &format!("deep/people/hr/{RUN}/report.json"), 9);
        assert_eq!(aged(root, 5), [format!("people/hr/{RUN}")]);
        assert_eq!(aged(root, 30), Vec::<String>::new());
        assert_eq!(aged(root, 0), [format!("people/hr/{RUN}"), format!("people/hr/{OTHER}")]);
        assert_eq!(aged(&root.join("missing"), 5), Vec::<String>::new());
    }
}

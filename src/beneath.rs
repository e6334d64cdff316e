//! Folders of this machine, opened so that no link leads out of the one that may be used.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat},
    io::Errno,
};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How often a path is tried that others rename at the same time.
const TRIES: u32 = 8;

/// Opens a folder. With `beneath`, only if it is that one or lies below it, wherever links on the way lead:
/// [`Errno::XDEV`] if it doesn't. What is above `beneath` is the administrator's own; `beneath` itself must be no link.
pub fn folder(path: &Path, beneath: Option<&Path>) -> Result<OwnedFd, Errno> {
    let Some(root) = beneath else { return openat(CWD, path, FOLDER, Mode::empty()) };
    let within = within(path, root)?;
    let root = opened_root(root)?;
    if within == Path::new("") {
        return Ok(root);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match openat2(&root, within, FOLDER, Mode::empty(), resolve) {
            // Kernels before 5.6, and sandboxes that don't know the call: then no link is followed at all.
            Err(Errno::NOSYS | Errno::PERM) => return walk(root, within),
            // Somebody renamed a folder on the way meanwhile.
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// The path of a file that lies directly in the folder `beneath`, for a library that opens files by their path: without a
/// link as long as nobody puts one in the file's place. [`Errno::XDEV`] if it lies elsewhere, [`Errno::LOOP`] if the file
/// is a link now.
pub fn file(path: &Path, beneath: &Path) -> Result<PathBuf, Errno> {
    let name = within(path, beneath)?;
    if name.components().count() != 1 {
        return Err(Errno::XDEV);
    }
    let folder = opened_root(beneath)?;
    match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => return Err(Errno::LOOP),
        Ok(_) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let folder = std::fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    Ok(folder.map_err(errno)?.join(name))
}

/// The path below the root, of plain names alone.
fn within<'a>(path: &'a Path, root: &Path) -> Result<&'a Path, Errno> {
    let within = path.strip_prefix(root).map_err(|_| Errno::XDEV)?;
    let plain = within.components().all(|part| matches!(part, Component::Normal(_)));
    if plain { Ok(within) } else { Err(Errno::XDEV) }
}

fn opened_root(root: &Path) -> Result<OwnedFd, Errno> {
    let (Some(above), Some(name)) = (root.parent(), root.file_name()) else { return Err(Errno::XDEV) };
    let above = openat(CWD, above, FOLDER, Mode::empty())?;
    below(&above, Path::new(name))
}

fn walk(mut folder: OwnedFd, within: &Path) -> Result<OwnedFd, Errno> {
    for part in within {
        folder = below(&folder, Path::new(part))?;
    }
    Ok(folder)
}

/// Opens a folder in a folder. A link is none.
fn below(folder: &OwnedFd, name: &Path) -> Result<OwnedFd, Errno> {
    match openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
        Err(errno @ (Errno::NOTDIR | Errno::LOOP)) => {
            let link = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
            Err(if link { Errno::XDEV } else { errno })
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    /// `ROOT/mine` and `ROOT/theirs`, each with `inbox/` and `users.db`, and links in `mine`.
    fn world() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for namespace in ["mine", "theirs"] {
            fs::create_dir_all(root.path().join(namespace).join("inbox/deep")).unwrap();
            fs::write(root.path().join(namespace).join("users.db"), namespace).unwrap();
        }
        let mine = root.path().join("mine");
        for (link, to) in [
            ("inner", "inbox"),
            ("up", "../theirs/inbox"),
            ("up-and-down", "../mine/inbox"),
            ("absolute", "/etc"),
            ("magic", "/proc/self/cwd"),
            ("loop", "loop"),
            ("link.db", "../theirs/users.db"),
        ] {
            symlink(to, mine.join(link)).unwrap();
        }
        symlink("theirs", root.path().join("linked")).unwrap();
        root
    }

    fn same(fd: &OwnedFd, path: &Path) -> bool {
        let (a, b) = (rustix::fs::fstat(fd).unwrap(), rustix::fs::stat(path).unwrap());
        (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
    }

    #[test]
    fn folders_stay_beneath() {
        let world = world();
        let mine = world.path().join("mine");
        for (path, leads_to) in
            [("", "mine"), ("inbox", "mine/inbox"), ("inbox/deep", "mine/inbox/deep"), ("inner", "mine/inbox")]
        {
            let opened = folder(&mine.join(path), Some(&mine)).unwrap();
            assert!(same(&opened, &world.path().join(leads_to)), "{path}");
        }
        for (path, errno) in [
            ("up", Errno::XDEV),
            ("up/deep", Errno::XDEV),
            ("up-and-down", Errno::XDEV),
            ("absolute", Errno::XDEV),
            ("magic", Errno::XDEV),
            ("loop", Errno::LOOP),
            ("inbox/../inbox", Errno::XDEV),
            ("../theirs", Errno::XDEV),
            ("/etc", Errno::XDEV),
            ("missing", Errno::NOENT),
            ("users.db", Errno::NOTDIR),
        ] {
            assert_eq!(folder(&mine.join(path), Some(&mine)).unwrap_err(), errno, "{path}");
        }
        let sibling = world.path().join("minefield");
        fs::create_dir(&sibling).unwrap();
        assert_eq!(folder(&sibling, Some(&mine)).unwrap_err(), Errno::XDEV, "a name that begins the same");
        let linked = world.path().join("linked");
        assert_eq!(folder(&linked.join("inbox"), Some(&linked)).unwrap_err(), Errno::XDEV, "the namespace is a link");
        assert!(same(&folder(&mine.join("up"), None).unwrap(), &world.path().join("theirs/inbox")), "without a root");
    }

    #[test]
    fn without_the_call_no_link_is_followed() {
        let world = world();
        let mine = world.path().join("mine");
        let walked = |path: &str| walk(opened_root(&mine).unwrap(), Path::new(path));
        assert!(same(&walked("inbox/deep").unwrap(), &mine.join("inbox/deep")));
        for path in ["inner", "up", "up/deep", "absolute", "magic", "loop"] {
            assert_eq!(walked(path).unwrap_err(), Errno::XDEV, "{path}");
        }
    }

    #[test]
    fn files_lie_in_the_folder_itself() {
        let world = world();
        let mine = world.path().join("mine");
        let real = fs::canonicalize(&mine).unwrap();
        assert_eq!(file(&mine.join("users.db"), &mine).unwrap(), real.join("users.db"));
        assert_eq!(file(&mine.join("new.db"), &mine).unwrap(), real.join("new.db"));
        for (path, errno) in [
            ("link.db", Errno::LOOP),
            ("inbox/users.db", Errno::XDEV),
            ("../theirs/users.db", Errno::XDEV),
            ("", Errno::XDEV),
            ("..", Errno::XDEV),
        ] {
            assert_eq!(file(&mine.join(path), &mine).unwrap_err(), errno, "{path}");
        }
        let linked = world.path().join("linked");
        assert_eq!(file(&linked.join("users.db"), &linked).unwrap_err(), Errno::XDEV);
    }

    #[test]
    fn a_link_that_comes_and_goes_never_leads_out() {
        let world = world();
        let (mine, theirs) = (world.path().join("mine"), world.path().join("theirs/inbox"));
        let (stop, swapped) = (AtomicBool::new(false), mine.join("swapped"));
        fs::create_dir(&swapped).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let aside = mine.join("aside");
                while !stop.load(Ordering::Relaxed) {
                    fs::rename(&swapped, &aside).unwrap();
                    symlink(&theirs, &swapped).unwrap();
                    fs::remove_file(&swapped).unwrap();
                    fs::rename(&aside, &swapped).unwrap();
                }
            });
            let mut refused = 0;
            for _ in 0..20_000 {
                match folder(&swapped, Some(&mine)) {
                    Ok(opened) => assert!(!same(&opened, &theirs)),
                    Err(Errno::XDEV | Errno::NOENT | Errno::AGAIN) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            stop.store(true, Ordering::Relaxed);
            assert!(refused > 0, "the link was never there");
        });
    }
}

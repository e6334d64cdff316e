//! Moving a file into another folder below the source's, without ever overwriting one.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
};

use jiff::Timestamp;
use rustix::{
    fs::{
        AtFlags, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, fchmod, fstat, fsync, futimens, linkat,
        mkdirat, openat, renameat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};

use super::{CHUNK, Directory, errors::At, name, open_below};
use crate::ports::{Source, SourceError};

/// Moves `from` to `to`; the folder of `to` is made when it is missing.
pub fn rename(directory: &Directory, from: &str, to: &str) -> Result<(), SourceError> {
    let (source, old) = directory.parent(from)?;
    let (target, new) = target(directory, to)?;
    let (at_old, at_new) = (At::file(directory, from), At::file(directory, to));
    // Said first, because a missing target folder or file would be told by the same error number.
    statat(&source, old, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| at_old.error(errno))?;
    match place(&source, old, &target, new) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(at_new.exists()),
        Err(Errno::XDEV) => match copy_over(&source, old, &target, new) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(at_new.exists()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(at_old.changed("it changed while it was moved"))
            }
            Err(error) => Err(at_new.io(&error)),
        },
        Err(errno) => Err(at_new.error(errno)),
    }
}

/// Opens the folder of `to`; missing ones are made with the permissions of the folder they are made in.
fn target<'a>(directory: &Directory, to: &'a str) -> Result<(OwnedFd, &'a str), SourceError> {
    let (below, last) = name::split(&directory.location(), to)?;
    let at = At::file(directory, below.unwrap_or_default());
    let mut folder = directory.folder()?;
    for part in below.into_iter().flat_map(|below| below.split('/')) {
        folder = match open_below(&folder, part) {
            Err(Errno::NOENT) => make_below(&folder, part),
            opened => opened,
        }
        .map_err(|errno| at.error(errno))?;
    }
    Ok((folder, last))
}

fn make_below(folder: &OwnedFd, part: &str) -> Result<OwnedFd, Errno> {
    let mode = Mode::from_raw_mode(fstat(folder)?.st_mode);
    match mkdirat(folder, part, mode) {
        // Somebody else made it meanwhile.
        Err(Errno::EXIST) => open_below(folder, part),
        Err(errno) => Err(errno),
        Ok(()) => {
            let made = open_below(folder, part)?;
            // The process's mask took away what the parent allows.
            fchmod(&made, mode)?;
            Ok(made)
        }
    }
}

/// Moves within one file system, in a step that fails if the name is taken. Where the file system knows no such step,
/// a second name is made, which fails as well, and the first one removed.
fn place(source: &impl AsFd, old: &str, target: &impl AsFd, new: &str) -> Result<(), Errno> {
    match renameat_with(source, old, target, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            linkat(source, old, target, new, AtFlags::empty())?;
            let linked = statat(target, new, AtFlags::SYMLINK_NOFOLLOW)?;
            take_away(source, old, &linked).inspect_err(|_| remove(target, new))
        }
        result => result,
    }
}

/// Moves to another file system: copies under a name that no glob takes, sees that the copy is whole and on the disk and
/// the file still the same, gives the copy its name, and only then deletes the file.
fn copy_over(source: &OwnedFd, old: &str, target: &OwnedFd, new: &str) -> io::Result<()> {
    let partial = passing(new);
    let moved = copy(source, old, target, &partial).and_then(|copied| {
        place(target, &partial, target, new)?;
        Ok(copied)
    });
    // Nothing of a copy that failed stays.
    let copied = moved.inspect_err(|_| remove(target, &partial))?;
    fsync(target)?;
    Ok(take_away(source, old, &copied).inspect_err(|_| remove(target, new))?)
}

/// Deletes the file that is at its new place too: out of a name of its own, so that no new upload is deleted unread.
fn take_away(source: &impl AsFd, old: &str, moved: &Stat) -> Result<(), Errno> {
    let aside = passing(old);
    renameat(source, old, source, &*aside)?;
    let found = statat(source, &*aside, AtFlags::SYMLINK_NOFOLLOW)?;
    let same = (found.st_dev, found.st_ino) == (moved.st_dev, moved.st_ino);
    let deleted = if same { unlinkat(source, &*aside, AtFlags::empty()) } else { Ok(()) };
    if !same || deleted.is_err() {
        // Back to where it was, unless somebody has taken the name again: then both stay.
        if linkat(source, &*aside, source, old, AtFlags::empty()).is_ok() {
            unlinkat(source, &*aside, AtFlags::empty())?;
        }
    }
    deleted
}

/// Removes what a move that failed has left. Why it failed matters more than a failure to clean up.
fn remove(folder: &impl AsFd, name: &str) {
    let _ = unlinkat(folder, name, AtFlags::empty());
}

/// A name that no glob takes and no other move has.
fn passing(name: &str) -> String {
    format!(".{}.{}.part", &name[..name.floor_char_boundary(200)], Timestamp::now().as_nanosecond())
}

/// Copies; says what it copied.
fn copy(source: &OwnedFd, old: &str, target: &OwnedFd, partial: &str) -> io::Result<Stat> {
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let write = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut from = File::from(openat(source, old, read, Mode::empty())?);
    let before = fstat(&from)?;
    let mode = Mode::from_raw_mode(before.st_mode);
    let mut to = File::from(openat(target, partial, write, Mode::RUSR | Mode::WUSR)?);
    let mut chunk = vec![0; CHUNK];
    let mut copied = 0;
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        to.write_all(&chunk[..read])?;
        copied += read as u64;
    }
    fchmod(&to, mode)?;
    let mtime = Timespec { tv_sec: before.st_mtime, tv_nsec: before.st_mtime_nsec as _ };
    futimens(&to, &Timestamps { last_access: mtime, last_modification: mtime })?;
    to.sync_all()?;
    let after = fstat(&from)?;
    let stamp = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    let there = statat(source, old, AtFlags::SYMLINK_NOFOLLOW)?;
    if copied != before.st_size as u64
        || fstat(&to)?.st_size != before.st_size
        || stamp(&before) != stamp(&after)
        || (there.st_dev, there.st_ino) != (before.st_dev, before.st_ino)
    {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::*;

    fn opened(path: &Path) -> OwnedFd {
        File::open(path).unwrap().into()
    }

    #[test]
    fn a_copy_to_another_file_system_is_the_same_file_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // A file system of its own on every Linux; where it is none, the copy is the same.
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        let (old, new) = (folder.path().join("users.csv"), elsewhere.path().join("users.csv"));
        let content = "id;name\n".repeat(200_000);
        fs::write(&old, &content).unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
        let before = fs::metadata(&old).unwrap();
        let (source, target) = (opened(folder.path()), opened(elsewhere.path()));

        copy_over(&source, "users.csv", &target, "users.csv").unwrap();
        assert!(!old.exists());
        assert!(fs::read_to_string(&new).unwrap() == content);
        let after = fs::metadata(&new).unwrap();
        assert_eq!(after.modified().unwrap(), before.modified().unwrap());
        assert_eq!(after.permissions(), before.permissions());

        fs::write(&old, "second").unwrap();
        let error = copy_over(&source, "users.csv", &target, "users.csv").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(fs::read_to_string(&new).unwrap() == content);
        assert_eq!(fs::read_to_string(&old).unwrap(), "second");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "no partial copy stays");
    }
}

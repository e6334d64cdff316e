//! A folder of this machine. Everything happens beneath a handle to the folder, and no link is followed on the way.

mod errors;
mod moving;

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

use async_trait::async_trait;
use jiff::Timestamp;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat},
    io::Errno,
};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, SeekFrom};

use self::errors::{At, blocking};
use super::{
    MAX_NAMES,
    name::{self, LeftOut},
    too_many_names,
};
use crate::{
    beneath,
    model::file::{Listed, ListedKind, Stamp},
    ports::{Source, SourceError},
};

/// Bytes read at once.
const CHUNK: usize = 512 * 1024;

/// A folder of this machine: a mounted volume or a local folder.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    beneath: Option<PathBuf>,
}

impl Directory {
    /// The folder at this absolute path. Nothing is opened yet, the folder may come later.
    pub fn new(path: PathBuf) -> Self {
        Self { path, beneath: None }
    }

    /// The same, but only as long as it lies below this folder.
    pub fn beneath(mut self, folder: Option<PathBuf>) -> Self {
        self.beneath = folder;
        self
    }

    /// Opens the folder itself, each time anew. Links on the way to it are followed, but not out of `beneath`.
    fn folder(&self) -> Result<OwnedFd, SourceError> {
        beneath::folder(&self.path, self.beneath.as_deref()).map_err(|errno| At::folder(self).error(errno))
    }

    /// Opens the folder in which `name` lies, and says the last part of the name.
    fn parent<'a>(&self, name: &'a str) -> Result<(OwnedFd, &'a str), SourceError> {
        let (below, last) = name::split(&self.location(), name)?;
        let mut folder = self.folder()?;
        for part in below.into_iter().flat_map(|below| below.split('/')) {
            folder = open_below(&folder, part).map_err(|errno| At::file(self, name).error(errno))?;
        }
        Ok((folder, last))
    }

    /// Opens the file that was listed, and makes sure that it still is that file.
    fn open(&self, file: &Stamp) -> Result<File, SourceError> {
        let (folder, last) = self.parent(&file.name)?;
        // Not to be blocked by a pipe that took the file's place.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let at = At::file(self, &file.name);
        let opened = openat(&folder, last, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP => at.no_file(),
            errno => at.error(errno),
        })?;
        let stat = fstat(&opened).map_err(|errno| at.error(errno))?;
        if kind(&stat) != ListedKind::File {
            return Err(at.no_file());
        }
        same(&at, file, &stat)?;
        Ok(File::from(opened))
    }

    /// After the last byte: the file is still there under its name, and still is what was listed.
    fn unchanged(&self, file: &Stamp, opened: impl AsFd) -> Result<(), SourceError> {
        let at = At::file(self, &file.name);
        let (folder, last) = self.parent(&file.name)?;
        let read = fstat(opened).map_err(|errno| at.error(errno))?;
        let there = statat(&folder, last, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| at.error(errno))?;
        if (read.st_dev, read.st_ino) != (there.st_dev, there.st_ino) {
            return Err(at.changed("another file took its name while it was read"));
        }
        same(&at, file, &there)
    }

    fn list_now(&self) -> Result<Vec<Listed>, SourceError> {
        let at = At::folder(self);
        let folder = self.folder()?;
        let (mut listed, mut seen, mut left_out) = (Vec::new(), 0, LeftOut::default());
        for entry in Dir::read_from(&folder).map_err(|errno| at.error(errno))? {
            let entry = entry.map_err(|errno| at.error(errno))?;
            let bytes = entry.file_name().to_bytes();
            if matches!(bytes, b"." | b"..") {
                continue;
            }
            seen += 1;
            if seen > MAX_NAMES {
                left_out.end(&self.location());
                return Err(too_many_names(&self.location()));
            }
            let name = match name::plain(bytes) {
                Ok(name) => name,
                Err(why) => {
                    left_out.add(&self.location(), bytes, why);
                    continue;
                }
            };
            match statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => listed.push(described(name, &stat)),
                // Gone since the folder was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(At::file(self, name).error(errno)),
            }
        }
        left_out.end(&self.location());
        Ok(listed)
    }

    fn stat_now(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
        let at = At::file(self, name);
        let found = self.parent(name).and_then(|(folder, last)| {
            statat(&folder, last, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| at.error(errno))
        });
        match found {
            Ok(stat) if kind(&stat) == ListedKind::File => Ok(Some(Stamp::from(&described(name, &stat)))),
            Ok(_) | Err(SourceError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn delete_now(&self, name: &str) -> Result<(), SourceError> {
        let (folder, last) = self.parent(name)?;
        rustix::fs::unlinkat(&folder, last, AtFlags::empty()).map_err(|errno| At::file(self, name).error(errno))
    }
}

#[async_trait]
impl Source for Directory {
    fn location(&self) -> String {
        self.path.display().to_string()
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        let this = self.clone();
        blocking(move || this.list_now()).await
    }

    async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
        let (this, name) = (self.clone(), name.to_owned());
        blocking(move || this.stat_now(&name)).await
    }

    async fn fetch(
        &self,
        file: &Stamp,
        from: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        let (this, stamp) = (self.clone(), file.clone());
        let opened = blocking(move || this.open(&stamp)).await?;
        let at = At::file(self, &file.name);
        if from > file.size {
            return Err(at.changed("it shrank"));
        }
        let mut opened = tokio::fs::File::from_std(opened);
        opened.set_max_buf_size(CHUNK);
        opened.seek(SeekFrom::Start(from)).await.map_err(|error| at.io(&error))?;
        let (mut chunk, mut done) = (vec![0; CHUNK], from);
        loop {
            let read = opened.read(&mut chunk).await.map_err(|error| at.io(&error))?;
            if read == 0 {
                break;
            }
            done += read as u64;
            if done > file.size {
                return Err(at.changed("it grows"));
            }
            into.write_all(&chunk[..read]).await.map_err(|error| at.kept(&error))?;
            progress(done);
        }
        if done < file.size {
            return Err(at.changed("it shrank"));
        }
        let (this, stamp, opened) = (self.clone(), file.clone(), opened.into_std().await);
        blocking(move || this.unchanged(&stamp, &opened)).await?;
        Ok(done)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError> {
        let (this, from, to) = (self.clone(), from.to_owned(), to.to_owned());
        blocking(move || moving::rename(&this, &from, &to)).await
    }

    async fn delete(&self, name: &str) -> Result<(), SourceError> {
        let (this, name) = (self.clone(), name.to_owned());
        blocking(move || this.delete_now(&name)).await
    }
}

/// Opens a folder in a folder, which must not be a link.
fn open_below(folder: &OwnedFd, part: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, part, flags, Mode::empty())
}

fn same(at: &At<'_>, expected: &Stamp, found: &Stat) -> Result<(), SourceError> {
    let found = described(&expected.name, found);
    if (found.size, found.mtime) == (expected.size, expected.mtime) {
        return Ok(());
    }
    Err(at.changed(&format!(
        "it had {} bytes from {}, now {} bytes from {}",
        expected.size, expected.mtime, found.size, found.mtime
    )))
}

fn kind(stat: &Stat) -> ListedKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => ListedKind::File,
        FileType::Directory => ListedKind::Folder,
        _ => ListedKind::Other,
    }
}

fn described(name: &str, stat: &Stat) -> Listed {
    let mtime = Timestamp::new(stat.st_mtime, stat.st_mtime_nsec as i32).unwrap_or(Timestamp::UNIX_EPOCH);
    Listed { name: name.to_owned(), kind: kind(stat), size: stat.st_size as u64, mtime }
}

//! The spool folder of a run: what lies where.

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The file as it was fetched.
pub(super) fn input(spool: &Path) -> PathBuf {
    spool.join("input")
}

/// The folder in which the report is staged until it is published.
pub(super) fn report(spool: &Path) -> PathBuf {
    spool.join("report")
}

/// The folder for the report of a run that wrote no other. Not the one above: an earlier attempt of the run may have
/// committed what is staged there.
pub(super) fn ending(spool: &Path) -> PathBuf {
    spool.join("ending")
}

/// The folder in which the report of a run that wrote nothing but it waits until it is published.
pub(super) fn unpublished(spool: &Path) -> PathBuf {
    spool.join("unpublished")
}

/// Makes a file that only this account may read: what people's files say is in it.
pub(super) fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// An empty file without a name: gone when it is closed, also when the process is killed.
pub(super) fn scratch(spool: &Path) -> io::Result<File> {
    tempfile::tempfile_in(spool)
}

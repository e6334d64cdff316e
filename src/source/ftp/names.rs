//! Names in the encoding that the server knows them in: UTF-8, or one byte for each letter (Latin-1) where they were listed so.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use suppaftp::Encoding;

use super::listing::Entry;
use crate::source::MAX_NAMES;

/// What all logins of a source know of the names in its folder.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Whether the folder was listed: before, nothing is known of any name.
    listed: bool,
    latin1: HashSet<String>,
}

impl Names {
    /// Notes how the server knows the names that it listed.
    pub fn note(&self, entries: &[Entry]) {
        let mut known = self.known();
        known.listed = true;
        // Names that were moved away are still asked for, but not without an end.
        if known.latin1.len() > MAX_NAMES {
            known.latin1.clear();
        }
        for entry in entries {
            if entry.latin1 {
                known.latin1.insert(entry.listed.name.clone());
            } else if !entry.listed.name.is_ascii() {
                known.latin1.remove(&entry.listed.name);
            }
        }
    }

    /// Whether the server knows this name, of a file wherever below the folder, in Latin-1.
    pub fn latin1(&self, path: &str) -> bool {
        self.known().latin1.contains(last(path))
    }

    /// Whether only a listing can tell how the server knows this name.
    pub fn doubtful(&self, path: &str) -> bool {
        let name = last(path);
        !name.is_ascii() && name.chars().all(|letter| u32::from(letter) < 0x100) && !self.known().listed
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a file, without the folders that it is in.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The encoding of what is sent next.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    latin1: Arc<AtomicBool>,
}

impl Sent {
    /// Has the next line sent in Latin-1, or in UTF-8.
    pub fn next_in_latin1(&self, latin1: bool) {
        self.latin1.store(latin1, Ordering::Relaxed);
    }
}

impl Encoding for Sent {
    fn decode(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn encode(&self, text: &str) -> io::Result<Vec<u8>> {
        let bytes = self
            .latin1
            .load(Ordering::Relaxed)
            .then(|| text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect());
        Ok(bytes.flatten().unwrap_or_else(|| text.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::file::{Listed, ListedKind};

    fn entry(name: &str, latin1: bool) -> Entry {
        let listed = Listed { name: name.to_owned(), kind: ListedKind::File, size: 1, mtime: Timestamp::UNIX_EPOCH };
        Entry { listed, link: false, latin1 }
    }

    #[test]
    fn names_are_sent_as_they_are_known() {
        let sent = Sent::default();
        assert_eq!(sent.encode("RETR grün\r\n").unwrap(), "RETR grün\r\n".as_bytes());
        sent.next_in_latin1(true);
        assert_eq!(sent.encode("RETR grün\r\n").unwrap(), b"RETR gr\xfcn\r\n");
        assert_eq!(sent.encode("RETR €\r\n").unwrap(), "RETR €\r\n".as_bytes());
    }

    #[test]
    fn what_was_listed_last_counts_and_what_was_moved_stays_known() {
        let names = Names::default();
        assert!(
            names.doubtful("grün") && names.doubtful("bak/grün") && !names.doubtful("blue") && !names.doubtful("€ü")
        );
        names.note(&[entry("grün", true), entry("blau", false)]);
        assert!(
            names.latin1("grün") && names.latin1("bak/grün") && !names.latin1("blau") && !names.doubtful("rötlich")
        );
        names.note(&[]);
        assert!(names.clone().latin1("grün"));
        names.note(&[entry("grün", false)]);
        assert!(!names.latin1("grün"));
    }
}

//! Putting a file away over a line that breaks at every call, while new uploads come: nothing is lost, nothing is there twice,
//! nothing is moved unread.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::*;
use crate::{engine::aside::aside, model::file::Listed};

const NAME: &str = "users.csv";
const MARKER: &str = "users.csv.done";
const OLD: &[u8] = b"id\n1\n";
const NEW: &[u8] = b"id\n2\n";
const FOREIGN: &[u8] = b"whose?";

/// What a server does besides what it is asked.
#[derive(Clone, Copy, Debug, Default)]
struct Manners {
    /// A file that is moved gets the time of the move, within a folder too.
    restamps: bool,
    /// A move to another folder copies, and breaks off before the file is deleted.
    copies: bool,
}

/// When the line breaks, and when somebody uploads. Calls are counted from 1 on, over all attempts.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    /// The call that fails.
    breaks: Option<u32>,
    /// It is done all the same, and only its answer gets lost.
    done: bool,
    /// The call before which a new upload comes.
    upload: Option<u32>,
}

struct Server {
    files: Mutex<BTreeMap<String, (Vec<u8>, i64)>>,
    calls: Mutex<u32>,
    plan: Plan,
    manners: Manners,
}

impl Server {
    fn new(files: &[(&str, &[u8])], plan: Plan, manners: Manners) -> Self {
        let files = files.iter().map(|(name, content)| ((*name).to_owned(), (content.to_vec(), 1)));
        Self { files: Mutex::new(files.collect()), calls: Mutex::new(0), plan, manners }
    }

    /// Each call: first somebody else, then the line, then what is asked, then the line again.
    fn call<T>(
        &self,
        done: impl FnOnce(&mut BTreeMap<String, (Vec<u8>, i64)>) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let mut files = self.files.lock().unwrap();
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if self.plan.upload == Some(*calls) {
            files.insert(NAME.to_owned(), (NEW.to_vec(), 2));
        }
        let broken = || Err(SourceError::Unreachable("broken.".to_owned()));
        if self.plan.breaks != Some(*calls) {
            return done(&mut files);
        }
        if self.plan.done {
            let _ = done(&mut files);
        }
        broken()
    }

    fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.files.lock().unwrap();
        files.iter().map(|(name, (content, _))| (name.clone(), content.clone())).collect()
    }
}

#[async_trait]
impl Source for Server {
    fn location(&self) -> String {
        "ftp://files.example.com/outbox".to_owned()
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        Ok(Vec::new())
    }

    async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
        self.call(|files| Ok(files.get(name).map(|(content, time)| stamp(name, content, *time))))
    }

    async fn fetch(
        &self,
        file: &Stamp,
        _: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        _: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        let content = self.call(|files| match files.get(&file.name) {
            Some((content, time)) if stamp(&file.name, content, *time) == *file => Ok(content.clone()),
            Some(_) => Err(SourceError::Changed(file.name.clone())),
            None => Err(SourceError::Missing(file.name.clone())),
        })?;
        into.write_all(&content).await.unwrap();
        Ok(content.len() as u64)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError> {
        let Manners { restamps, copies } = self.manners;
        let last = self.plan.breaks == Some(*self.calls.lock().unwrap() + 1);
        self.call(|files| {
            if files.contains_key(to) {
                return Err(SourceError::Exists(to.to_owned()));
            }
            let (content, time) = files.get(from).cloned().ok_or_else(|| SourceError::Missing(from.to_owned()))?;
            if !(copies && last && to.contains('/')) {
                files.remove(from);
            }
            files.insert(to.to_owned(), (content, if restamps { 9 } else { time }));
            Ok(())
        })
    }

    async fn delete(&self, name: &str) -> Result<(), SourceError> {
        self.call(|files| files.remove(name).map(drop).ok_or_else(|| SourceError::Missing(name.to_owned())))
    }
}

fn stamp(name: &str, content: &[u8], time: i64) -> Stamp {
    let mtime = Timestamp::from_second(time).unwrap();
    Stamp { name: name.to_owned(), size: content.len() as u64, mtime }
}

fn sha256() -> String {
    HEXLOWER.encode(&Sha256::digest(OLD))
}

fn place() -> String {
    aside(&stamp(NAME, OLD, 1), &sha256())
}

/// Tries until it is done, and says how often that was and what was noted.
async fn until_done(server: &Server, after: &After, marker: Option<&str>) -> Result<Option<String>, SourceError> {
    let old = stamp(NAME, OLD, 1);
    let first = away(server, &old, &sha256(), after, marker).await;
    if first.is_ok() { first } else { away(server, &old, &sha256(), after, marker).await }
}

/// Where the old file ends: in `bak`, nowhere if it is deleted, nowhere if the upload came over it.
#[tokio::test]
async fn whatever_call_fails_nothing_is_lost_twice_or_moved_unread() {
    let manners = [
        Manners::default(),
        Manners { restamps: true, ..Manners::default() },
        Manners { copies: true, ..Manners::default() },
    ];
    let mut cases = 0;
    for after in [After::MoveTo("bak".to_owned()), After::Delete] {
        for (manners, marker) in manners.iter().flat_map(|manners| [(manners, None), (manners, Some(MARKER))]) {
            for (upload, done) in (0..20).flat_map(|upload| [(upload, false), (upload, true)]) {
                for breaks in 0..20 {
                    let some = |call: u32| Some(call).filter(|call| *call > 0);
                    let plan = Plan { breaks: some(breaks), done, upload: some(upload) };
                    let mut before = vec![(NAME, OLD)];
                    before.extend(marker.map(|marker| (marker, FOREIGN)));
                    let server = Server::new(&before, plan, *manners);
                    let case = format!("{after:?} {marker:?} {manners:?} {plan:?}");
                    until_done(&server, &after, marker).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                    let uploaded = upload > 0 && upload <= *server.calls.lock().unwrap();
                    let left = server.contents();
                    let of = |content: &[u8]| -> Vec<&str> {
                        let found = left.iter().filter(|(_, found)| found == content);
                        found.map(|(name, _)| name.as_str()).collect()
                    };
                    assert_eq!(of(NEW), if uploaded { vec![NAME] } else { vec![] }, "{case}: {left:?}");
                    let moved = after != After::Delete;
                    match of(OLD)[..] {
                        ["bak/users.csv"] => assert!(moved, "{case}: {left:?}"),
                        // Deleted, or the upload overwrote it before it was set aside.
                        [] => assert!(!moved || uploaded, "{case}: {left:?}"),
                        _ => panic!("{case}: {left:?}"),
                    }
                    match of(FOREIGN)[..] {
                        [] => assert!(marker.is_none() || !moved, "{case}: {left:?}"),
                        ["bak/users.csv.done"] => assert!(moved && marker.is_some(), "{case}: {left:?}"),
                        // The new upload may have the marker for itself.
                        [MARKER] => assert!(uploaded, "{case}: {left:?}"),
                        _ if manners.copies && marker.is_some() => {}
                        _ => panic!("{case}: {left:?}"),
                    }
                    assert_eq!(left.len(), of(NEW).len() + of(OLD).len() + of(FOREIGN).len(), "{case}: {left:?}");
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 2 * 6 * 40 * 20);
}

#[tokio::test]
async fn what_is_no_upload_of_ours_is_neither_overwritten_nor_deleted() {
    let (place, twin) = (place(), place().to_uppercase());
    for after in [After::MoveTo("bak".to_owned()), After::Delete] {
        // Somebody's file has the name aside; as large as ours, too.
        for foreign in [FOREIGN, b"id\n3\n"] {
            let server = Server::new(&[(NAME, OLD), (&place, foreign)], Plan::default(), Manners::default());
            let before = server.contents();
            let error = until_done(&server, &after, None).await.unwrap_err();
            assert!(matches!(&error, SourceError::Exists(why) if why.contains(&place)), "{error:?}");
            assert_eq!(server.contents(), before);
        }
        // In other letters it is another file.
        let server = Server::new(&[(NAME, OLD), (&twin, FOREIGN)], Plan::default(), Manners::default());
        until_done(&server, &after, None).await.unwrap();
        assert!(server.contents().contains(&(twin.clone(), FOREIGN.to_vec())));
        // A copy of ours that a crash left goes.
        let server = Server::new(&[(NAME, OLD), (&place, OLD)], Plan::default(), Manners::default());
        until_done(&server, &after, None).await.unwrap();
        let moved = [("bak/users.csv".to_owned(), OLD.to_vec())];
        assert_eq!(server.contents(), if after == After::Delete { &[][..] } else { &moved });
        // Two uploads came, one of them when ours was to be set aside: neither is taken for what was read.
        let server = Server::new(&[(NAME, FOREIGN), (&place, b"id\n22\n")], Plan::default(), Manners::default());
        let error = until_done(&server, &after, None).await.unwrap_err();
        assert!(error.to_string().contains("Look which of them is wanted"), "{error}");
        assert_eq!(server.contents().len(), 2);
    }
}

#[tokio::test]
async fn an_archived_file_of_the_same_name_is_another_one() {
    let after = After::MoveTo("bak".to_owned());
    let server = Server::new(&[(NAME, OLD), ("bak/users.csv", FOREIGN)], Plan::default(), Manners::default());
    until_done(&server, &after, None).await.unwrap();
    let digest = &sha256()[..8];
    assert_eq!(
        server.contents(),
        [
            ("bak/users.csv".to_owned(), FOREIGN.to_vec()),
            (format!("bak/users_19700101T000001Z_{digest}.csv"), OLD.to_vec())
        ]
    );
}

#[tokio::test]
async fn a_file_that_is_to_stay_comes_back_from_aside() {
    let server = Server::new(&[(&place(), OLD)], Plan::default(), Manners::default());
    until_done(&server, &After::Keep, None).await.unwrap();
    assert_eq!(server.contents(), [(NAME.to_owned(), OLD.to_vec())]);
}

#[test]
fn a_taken_name_gets_time_and_digest() {
    let mtime: Timestamp = "2026-11-22T01:02:03.5Z".parse().unwrap();
    for (name, expected) in [
        ("users.csv", "users_20261122T010203Z_ab12cd34.csv"),
        ("users", "users_20261122T010203Z_ab12cd34"),
        (".users", ".users_20261122T010203Z_ab12cd34"),
        ("a.b.csv", "a.b_20261122T010203Z_ab12cd34.csv"),
    ] {
        let stamp = Stamp { name: name.to_owned(), size: 1, mtime };
        assert_eq!(suffixed(name, &stamp, "ab12cd34ef", 1), expected);
    }
    let stamp = Stamp { name: "users.csv".to_owned(), size: 1, mtime };
    assert_eq!(suffixed("users.csv", &stamp, "ab12cd34ef", 2), "users_20261122T010203Z_ab12cd34_2.csv");
}

#[test]
fn a_name_aside_is_short_enough_and_its_own() {
    let name = |letters: &str, end: &str| format!("{}{end}", letters.repeat(230 / letters.len()));
    let of = |name: String| aside(&Stamp { name, ..stamp(NAME, OLD, 1) }, &sha256());
    assert_eq!(of(NAME.to_owned()), format!("users.csv.{}.tmp", &sha256()[..16]));
    for letters in ["x", "ü"] {
        let (one, other) = (of(name(letters, "1.csv")), of(name(letters, "2.csv")));
        assert!(one.len() <= 255 && one != other && one.ends_with(".tmp"), "{one} {other}");
    }
}

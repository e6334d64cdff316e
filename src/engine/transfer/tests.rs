//! A line that drops, stalls, comes back: every way in which a transfer goes on or ends.

use std::{
    collections::VecDeque,
    sync::Mutex,
    sync::atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::*;
use crate::model::{file::Listed, job::Unpack};

/// How one call ends.
#[derive(Clone, Debug)]
enum Does {
    /// A transfer gives so many bytes more, and breaks off.
    Breaks(usize),
    /// It gives all the rest.
    Ends,
    /// It gives all the rest, and breaks off.
    BreaksAtTheEnd,
    /// A look finds another file.
    IsAnother,
    /// Or none.
    IsGone,
    /// Nobody answers.
    IsAway,
    /// The login is refused.
    IsDenied,
}
use Does::*;

struct Script {
    content: Vec<u8>,
    /// What is done in turn; a look that is not mentioned finds the file as it was.
    does: Mutex<VecDeque<Does>>,
    rests: AtomicU32,
    from: Mutex<Vec<u64>>,
}

impl Script {
    fn next(&self, fits: impl Fn(&Does) -> bool) -> Option<Does> {
        let mut does = self.does.lock().unwrap();
        if does.front().is_some_and(fits) { does.pop_front() } else { None }
    }
}

#[async_trait]
impl Source for Script {
    fn location(&self) -> String {
        "script".to_owned()
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        Ok(Vec::new())
    }

    async fn stat(&self, _: &str) -> Result<Option<Stamp>, SourceError> {
        match self.next(|does| !matches!(does, Breaks(_) | Ends | BreaksAtTheEnd)) {
            None => Ok(Some(stamp(self.content.len() as u64))),
            Some(IsAnother) => Ok(Some(stamp(1))),
            Some(IsDenied) => Err(SourceError::Denied("refused".to_owned())),
            Some(IsAway) => Err(SourceError::Unreachable("away.".to_owned())),
            Some(_) => Ok(None),
        }
    }

    async fn fetch(
        &self,
        _: &Stamp,
        from: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        self.from.lock().unwrap().push(from);
        let rest = &self.content[from as usize..];
        let does = self.next(|_| true).unwrap_or(Ends);
        let given = if let Breaks(bytes) = does { &rest[..bytes] } else { rest };
        into.write_all(given).await.unwrap();
        progress(from + given.len() as u64);
        match does {
            Ends => Ok(self.content.len() as u64),
            _ => Err(SourceError::Unreachable("broken.".to_owned())),
        }
    }

    async fn rename(&self, _: &str, _: &str) -> Result<(), SourceError> {
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), SourceError> {
        Ok(())
    }

    async fn rest(&self) {
        self.rests.fetch_add(1, Ordering::Relaxed);
    }
}

/// Wants the run to end after so many questions.
struct StopAfter(AtomicU32);

impl Watch for StopAfter {
    fn at(&self, _: Progress) {}

    fn stopped(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

fn stamp(size: u64) -> Stamp {
    Stamp { name: "users.csv".to_owned(), size, mtime: jiff::Timestamp::UNIX_EPOCH }
}

/// How it ended, how often it broke, from where it went on each time; what came is the file's beginning.
async fn copied(does: &[Does], patience: u32) -> (Result<(), String>, u32, Vec<u64>) {
    let content: Vec<u8> = (0..1_000u32).map(|byte| (byte % 251) as u8).collect();
    let script = Script {
        content: content.clone(),
        does: Mutex::new(does.iter().cloned().collect()),
        rests: AtomicU32::new(0),
        from: Mutex::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input");
    let unpack = Unpack { max_size: 1, max_ratio: 1 };
    let mut intake = Intake::create("users.csv", unpack, &path).unwrap();
    let (stamp, watch) = (stamp(1_000), StopAfter(AtomicU32::new(patience)));
    let mut line = Line::new(&script, &watch, &stamp, "hr-1");
    let ended = line.copy(&mut intake).await.map_err(|error| error.to_string());
    let (broke, came) = (line.broke, intake.came() as usize);
    let waits = script.rests.load(Ordering::Relaxed);
    assert!(waits == broke || (ended.is_err() && waits + 1 == broke), "no login is kept while nothing is asked");
    let taken = intake.finish().await.unwrap();
    assert!(std::fs::read(path).unwrap() == content[..came], "{does:?}");
    assert_eq!(taken.sha256, data_encoding::HEXLOWER.encode(&Sha256::digest(&content[..came])));
    let from = script.from.lock().unwrap().clone();
    (ended, broke, from)
}

#[tokio::test(start_paused = true)]
async fn a_transfer_goes_on_where_it_stopped() {
    type Case = (&'static [Does], u32, &'static [u64]);
    let cases: [Case; 7] = [
        (&[Ends], 0, &[0]),
        (&[Breaks(400), Ends], 1, &[0, 400]),
        (&[Breaks(1), Breaks(500), Breaks(0), Breaks(0), Breaks(99), Ends], 5, &[0, 1, 501, 501, 501, 600]),
        (&[Breaks(7), IsAway, IsAway, Breaks(1), IsAway, Ends], 5, &[0, 7, 8]),
        (&[BreaksAtTheEnd], 0, &[0]),
        (&[Breaks(999), BreaksAtTheEnd], 1, &[0, 999]),
        (
            &[Breaks(1), Breaks(0), Breaks(0), Breaks(0), Breaks(0), Breaks(1), IsAway, IsAway, Ends],
            8,
            &[0, 1, 1, 1, 1, 1, 2],
        ),
    ];
    for (does, broke, from) in cases {
        let (ended, times, asked) = copied(does, u32::MAX).await;
        assert_eq!((ended, times, asked.as_slice()), (Ok(()), broke, from), "{does:?}");
    }
    let always: Vec<_> = (0..999).map(|_| Breaks(1)).collect();
    assert_eq!(copied(&always, u32::MAX).await.1, 999, "each try got further");
}

#[tokio::test(start_paused = true)]
async fn a_transfer_ends_where_there_is_nothing_to_go_on_behind() {
    let cases: [(&[Does], &str); 7] = [
        (&[Breaks(0), Ends], "broken."),
        (&[Breaks(5), IsAnother, Ends], "users.csv changed while it was read: when the transfer broke off"),
        (&[Breaks(5), IsGone, Ends], "users.csv changed while it was read"),
        (&[Breaks(5), IsDenied, Ends], "refused"),
        (&[Breaks(5), IsAway, IsDenied, Ends], "refused"),
        (
            &[Breaks(5), Breaks(0), Breaks(0), Breaks(0), Breaks(0), Breaks(0), Ends],
            "broken. 5 of 1000 bytes of users.csv had come; 5 tries to go on behind them were in vain",
        ),
        (
            &[Breaks(5), IsAway, IsAway, IsAway, IsAway, IsAway, Ends],
            "away. 5 of 1000 bytes of users.csv had come; 5 tries to go on behind them were in vain",
        ),
    ];
    for (does, expected) in cases {
        let (ended, ..) = copied(does, u32::MAX).await;
        assert!(ended.as_ref().is_err_and(|error| error.starts_with(expected)), "{does:?}: {ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_to_end_waits_for_no_line() {
    for (does, patience) in [(&[Ends][..], 0), (&[Breaks(5), Ends], 3), (&[Breaks(5), IsAway, IsAway, Ends], 20)] {
        let (ended, ..) = copied(does, patience).await;
        assert_eq!(ended, Err(RunError::Stopped.to_string()), "{does:?}");
    }
}

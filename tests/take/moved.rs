//! What becomes of a file on an OpenSSH server once it is imported, whatever stands in the way.

use std::fs;

use serde_json::json;
use usersync::{
    api::Mode,
    model::{
        condition::ConditionReason,
        progress::{Progress, Step},
        reason::Reason,
    },
    ports::Watch,
};

use crate::{
    scene::{csv, files, over_sftp, upload, users},
    support::sshd::Sshd,
};

/// Does something when the run begins to write.
struct WhenApplying(Box<dyn Fn() + Send + Sync>);

impl Watch for WhenApplying {
    fn at(&self, progress: Progress) {
        if progress.step == Step::Apply && progress.done == 0 {
            (self.0)();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_upload_between_fetch_and_move_is_imported_and_not_moved_unread() {
    for after in [json!({"moveTo": "bak"}), json!({"moveTo": null, "delete": {}})] {
        let sshd = Sshd::start("");
        let bench = over_sftp(&sshd, sshd.port, json!({"source": {"afterImport": after}})).await;
        let place = sshd.outbox().join("users.csv");
        upload(&place, &csv(3));
        let new = place.clone();
        let ended = bench.watched(WhenApplying(Box::new(move || fs::write(&new, csv(5)).unwrap()))).await;
        assert_eq!((ended.report.reason, users(&bench).await), (Reason::Completed, 3), "{:?}", ended.report);
        assert_eq!(fs::read(&place).unwrap(), csv(5), "it stays where it is");
        let next = bench.run(Mode::Import).await;
        assert_eq!((next.report.reason, users(&bench).await), (Reason::Completed, 5), "{:?}", next.report);
        assert!(!place.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_away_overwrites_nothing_and_is_tried_until_it_is_done() {
    let sshd = Sshd::start("");
    let bench = over_sftp(&sshd, sshd.port, json!({})).await;
    let place = sshd.outbox().join("users.csv");
    fs::write(sshd.outbox().join("bak"), "a file where the folder should be").unwrap();
    upload(&place, &csv(3));
    let ended = bench.run(Mode::Import).await;
    assert_eq!((ended.report.reason, users(&bench).await), (Reason::Completed, 3), "{:?}", ended.report);
    let left = ended.unfinished.unwrap();
    assert_eq!(left.reason, ConditionReason::FileNotMoved);
    assert!(left.message.starts_with("users.csv is imported (run hr-"), "{}", left.message);

    bench.execute("delete from users").await;
    let next = bench.run(Mode::Import).await;
    assert_eq!(next.unfinished.map(|left| left.reason), Some(ConditionReason::FileNotMoved), "{:?}", next.report);
    fs::remove_file(sshd.outbox().join("bak")).unwrap();
    fs::create_dir(sshd.outbox().join("bak")).unwrap();
    fs::write(sshd.outbox().join("bak/users.csv"), "an earlier one").unwrap();
    let last = bench.run(Mode::Import).await;
    assert_eq!((last.report.reason, last.unfinished), (Reason::NoFile, None), "{:?}", last.report);
    assert_eq!(fs::read(sshd.outbox().join("bak/users.csv")).unwrap(), b"an earlier one");
    let moved = files(&sshd.outbox());
    assert!(moved.len() == 2 && moved.iter().all(|name| name.starts_with("bak/users")), "{moved:?}");
}

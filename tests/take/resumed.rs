//! A line to an OpenSSH server that drops in the middle of a transfer.

use std::{fs, sync::Arc, time::Duration};

use serde_json::json;
use usersync::{api::Mode, model::reason::Reason};

use crate::{
    scene::{bench, csv, files, over_sftp, said, sha256, upload, users},
    support::{delay::Proxy, sshd::Sshd},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_on_where_the_line_dropped() {
    let sshd = Sshd::start("");
    let proxy = Proxy::start(sshd.port, Duration::ZERO).await;
    let bench = over_sftp(&sshd, proxy.port, json!({})).await;
    let content = csv(80_000);
    assert!(content.len() > 3 << 20);
    upload(&sshd.outbox().join("users.csv"), &content);
    let drops = async {
        for _ in 0..3 {
            proxy.hold_after(800 << 10);
            proxy.held().await;
            proxy.cut().await;
            proxy.release();
        }
    };
    let (ended, ()) = tokio::join!(bench.run(Mode::Import), drops);
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    assert_eq!(users(&bench).await, 80_000);
    assert_eq!(said(&ended), sha256(&content), "the digest is the whole file's");
    let warned = ended.report.warnings.join("\n");
    assert!(warned.contains("broke 3 times while users.csv was fetched"), "{warned}");
    assert!(proxy.passed() < content.len() as u64 + (512 << 10), "nothing was fetched again: {}", proxy.passed());
    assert_eq!(files(&sshd.outbox()), ["bak/users.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_the_line_is_down_is_left_for_the_next_run() {
    let sshd = Sshd::start("");
    let proxy = Proxy::start(sshd.port, Duration::ZERO).await;
    let bench = Arc::new(over_sftp(&sshd, proxy.port, json!({})).await);
    let place = sshd.outbox().join("users.csv");
    upload(&place, &csv(80_000));
    proxy.hold_after(800 << 10);
    let change = async {
        proxy.held().await;
        fs::write(&place, csv(10)).unwrap();
        proxy.cut().await;
        proxy.release();
    };
    let (ended, ()) = tokio::join!(bench.run(Mode::Import), change);
    assert_eq!(ended.report.reason, Reason::NoFile, "{:?}", ended.report);
    assert!(ended.report.message.contains("is it still being uploaded?"), "{}", ended.report.message);
    assert_eq!((users(&bench).await, files(&sshd.outbox())), (0, vec!["users.csv".to_owned()]));
    assert_eq!(files(&bench.path().join("spool")), Vec::<String>::new(), "nothing of it stays here");
    let next = bench.run(Mode::Import).await;
    assert_eq!((next.report.reason, users(&bench).await), (Reason::Completed, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_given_back_while_the_file_must_stand_still() {
    let sshd = Sshd::start("");
    let bench = over_sftp(&sshd, sshd.port, json!({"source": {"stableFor": "15s"}})).await;
    upload(&sshd.outbox().join("users.csv"), &csv(10));
    let logins = || sshd.sessions();
    let watch = async {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while logins() == 0 {
            assert!(tokio::time::Instant::now() < deadline, "a login within 30 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while logins() > 0 {
            assert!(tokio::time::Instant::now() < deadline, "no login is kept");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let run = bench.run(Mode::Import);
    tokio::pin!(run);
    tokio::select! {
        ended = &mut run => panic!("it has not waited, or kept its login: {ended:?}"),
        () = watch => {}
    }
    assert_eq!(users(&bench).await, 0, "it waits");
    assert_eq!(run.await.report.reason, Reason::Completed);
    assert_eq!(users(&bench).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_seen_standing_still_is_not_waited_for() {
    let mut bench = bench(json!({"source": {"stableFor": "1h"}})).await;
    let place = bench.inbox("users.csv");
    fs::write(&place, csv(10)).unwrap();
    let listed =
        bench.ports(Mode::Import, Arc::new(crate::support::bench::Silent)).await.source.stat("users.csv").await;
    bench.settled = listed.unwrap();
    let ended = bench.run(Mode::Import).await;
    assert_eq!((ended.report.reason, users(&bench).await), (Reason::Completed, 10));

    // Another file of that name is not the one that was seen.
    fs::write(&place, csv(11)).unwrap();
    let run = tokio::time::timeout(Duration::from_secs(3), bench.run(Mode::Import)).await;
    assert!(run.is_err(), "it waits: {run:?}");
    assert_eq!(users(&bench).await, 10);
}

//! Odd names and odd things under them: each is taken, refused or left out, and none in place of another.

use std::{fs, os::unix::fs::symlink};

use serde_json::json;
use usersync::{api::Mode, model::reason::Reason};

use crate::{
    scene::{bench, csv, files, over_sftp, upload, users},
    support::{bench::Bench, sshd::Sshd},
};

/// Everything that is put into the folder, and what is there when all of it was looked at.
async fn imported(bench: &Bench, inbox: &std::path::Path) {
    for (name, users) in [("users.csv", 1), ("Users.csv", 2), ("users ü [1].csv", 3), ("-users.csv", 4), ("users", 0)]
    {
        match users {
            0 => fs::create_dir(inbox.join(name)).unwrap(),
            count => upload(&inbox.join(name), &csv(count)),
        }
    }
    fs::create_dir(inbox.join("users_folder.csv")).unwrap();
    fs::write(inbox.join("users_folder.csv/users.csv"), csv(9)).unwrap();
    upload(&inbox.join("users.csv.part"), &csv(9));
    symlink("gone.csv", inbox.join("users_link.csv")).unwrap();
    let mut taken = Vec::new();
    loop {
        let ended = bench.run(Mode::Import).await;
        match ended.report.reason {
            Reason::Completed => taken.push(ended.report.file.unwrap().name),
            Reason::NoFile => break,
            other => panic!("{other}: {}", ended.report.message),
        }
        assert!(taken.len() < 10, "{taken:?}");
    }
    taken.sort();
    assert_eq!(taken, ["-users.csv", "Users.csv", "users ü [1].csv", "users.csv"]);
    assert_eq!(users(bench).await, 4);
    let bak = ["bak/-users.csv", "bak/Users.csv", "bak/users ü [1].csv", "bak/users.csv"];
    let left = files(inbox);
    assert!(bak.iter().all(|name| left.iter().any(|left| left == name)), "{left:?}");
    assert!(left.iter().any(|name| name == "users_folder.csv/users.csv"), "no folder is looked into: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_a_folder() {
    let bench = bench(json!({"source": {"files": "*sers*"}})).await;
    let inbox = bench.inbox("");
    imported(&bench, &inbox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_on_a_server() {
    let sshd = Sshd::start("");
    let bench = over_sftp(&sshd, sshd.port, json!({"source": {"files": "*sers*"}})).await;
    imported(&bench, &sshd.outbox()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_one_byte_is_no_file_to_import() {
    for name in ["users.csv", "users.csv.gz"] {
        let bench = bench(json!({})).await;
        upload(&bench.inbox(name), b"");
        let ended = bench.run(Mode::Import).await;
        assert_eq!(ended.report.reason, Reason::InvalidFile, "{name}: {}", ended.report.message);
        assert!(ended.report.message.contains("0 bytes"), "{name}: {}", ended.report.message);
        assert_eq!(files(&bench.inbox("")), [name]);
    }
}

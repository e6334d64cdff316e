//! Files compressed with gzip: whole, damaged, made to fill a disk, under other names.

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use usersync::{
    api::Mode,
    model::{
        progress::{Progress, Step},
        reason::Reason,
    },
    ports::Watch,
};

use crate::{
    scene::{bench, csv, files, over_sftp, said, sha256, upload, users},
    support::sshd::Sshd,
};

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_file_is_imported_as_what_is_in_it() {
    let sshd = Sshd::start("");
    let bench = over_sftp(&sshd, sshd.port, json!({})).await;
    let content = [packed(b"id,email\n1,a@x.de\n"), packed(b"2,b@x.de\n2,c@x.de\n")].concat();
    upload(&sshd.outbox().join("users.csv.GZ"), &content);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::CompletedWithRejects, "{:?}", ended.report);
    assert_eq!((users(&bench).await, said(&ended)), (2, sha256(&content)), "the digest is the file's as it lies there");
    let file = ended.report.file.unwrap();
    assert_eq!((file.size, file.rows), (content.len() as u64, Some(3)));
    let rejects = ended.report.reports.rejects.unwrap();
    assert!(rejects.ends_with("/users_rejects.csv"), "{rejects}");
    assert!(fs::read_to_string(rejects).unwrap().contains("2,c@x.de,4,DuplicateKey"));
    assert_eq!(files(&sshd.outbox()), ["bak/users.csv.GZ"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_file_that_is_none_fails_and_moves_aside() {
    let whole = packed(&csv(5_000));
    let bomb = packed(&vec![b'\n'; 256 << 20]);
    assert!(bomb.len() < 512 << 10);
    let cases: [(&str, &str, Vec<u8>, &str); 8] = [
        ("cut", "users.csv.gz", whole[..whole.len() - 100].to_vec(), "ends too early"),
        ("damaged", "users.csv.gz", [&whole[..1_000], &[0xff; 4], &whole[1_004..]].concat(), "is damaged"),
        ("text behind it", "users.csv.gz", [&whole[..], b"and more"].concat(), "something that is not gzip follows"),
        ("not packed at all", "users.csv.gz", csv(3), "it is not compressed with gzip"),
        ("too dense", "users.csv.gz", bomb, "`source.unpack.maxRatio`"),
        ("too large", "users.csv.gz", packed(&csv(100_000)), "`source.unpack.maxSize`"),
        ("nothing in it", "users.csv.gz", packed(b""), "the file is empty"),
        ("under another name", "users.csv", whole.clone(), "name it ….gz"),
    ];
    for (what, name, content, part) in cases {
        let patch = json!({"source": {"unpack": {"maxSize": "4Mi"}, "afterFailure": {"moveTo": "failed"}}});
        let bench = bench(patch).await;
        upload(&bench.inbox(name), &content);
        upload(&bench.inbox("users_later.csv"), &csv(1));
        fs::create_dir(bench.inbox("failed")).unwrap();
        fs::write(bench.inbox("failed").join(name), "an earlier one").unwrap();
        let ended = bench.run(Mode::Import).await;
        let message = &ended.report.message;
        assert_eq!(ended.report.reason, Reason::InvalidFile, "{what}: {message}");
        assert!(message.starts_with(&format!("{name}: ")) && message.contains(part), "{what}: {message}");
        assert_eq!((users(&bench).await, said(&ended)), (0, sha256(&content)), "{what}");
        let digest = &sha256(&content).unwrap()[..8];
        let moved = files(&bench.inbox("failed"));
        assert!(moved.len() == 2 && moved.iter().any(|name| name.contains(digest)), "{what}: {moved:?}");
        assert_eq!(files(&bench.path().join("spool")), Vec::<String>::new(), "{what}");
        let next = bench.run(Mode::Import).await;
        assert_eq!((next.report.reason, users(&bench).await), (Reason::Completed, 1), "{what}: {:?}", next.report);
    }
}

/// Goes on with an upload once all of it that was there has come.
struct Uploading(std::path::PathBuf, Vec<u8>);

impl Watch for Uploading {
    fn at(&self, progress: Progress) {
        if progress.step == Step::Fetch && Some(progress.done) == progress.of {
            upload(&self.0, &self.1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_file_that_is_still_uploaded_is_not_blamed_for_its_end() {
    let bench = bench(json!({"source": {"afterFailure": {"moveTo": "failed"}}})).await;
    let whole = packed(&csv(2_000));
    upload(&bench.inbox("users.csv.gz"), &whole[..whole.len() / 2]);
    let ended = bench.watched(Uploading(bench.inbox("users.csv.gz"), whole)).await;
    assert_eq!(ended.report.reason, Reason::NoFile, "{:?}", ended.report);
    assert_eq!(files(&bench.inbox("")), ["users.csv.gz"]);
    let next = bench.run(Mode::Import).await;
    assert_eq!((next.report.reason, users(&bench).await), (Reason::Completed, 2_000), "{:?}", next.report);
}

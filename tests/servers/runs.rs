//! Whole runs over a line that fails: nothing is written, nothing is left behind, nothing is lost, and the next run takes the
//! file, once.

use std::fs;

use serde_json::json;
use usersync::{
    api::Mode,
    model::{
        job::{FtpJob, SourceJob},
        reason::Reason,
    },
};

use crate::{
    link::{Fault, Link, Place},
    support::{
        bench::{Bench, Database},
        ftpd::{Brand, Ftpd, Protocol, Setup},
    },
};

async fn bench(server: &Ftpd, link: &Link) -> Bench {
    bench_of(SourceJob::Ftp(Box::new(FtpJob { host: link.address.to_string(), ..server.job() }))).await
}

/// A sync of users from this source.
pub async fn bench_of(source: SourceJob) -> Bench {
    let spec = json!({
        "source": {"directory": {"path": "inbox"}, "files": "users*", "stableFor": "0s"},
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "email"}]},
        "target": {},
    });
    let mut bench = Bench::new(Database::Sqlite, spec).await;
    bench.execute("create table users (id text not null primary key, email text)").await;
    bench.sync.source = source;
    bench
}

/// A file of that many users.
pub fn csv(users: usize) -> Vec<u8> {
    let rows = (0..users).map(|user| format!("{user},user{user}@example.com\n"));
    ["id,email\n".to_owned()].into_iter().chain(rows).collect::<String>().into_bytes()
}

pub async fn users(bench: &Bench) -> usize {
    bench.rows("select id from users").await.len()
}

/// Every file that a run left in its spool.
fn left(bench: &Bench) -> Vec<String> {
    let mut left = Vec::new();
    for run in fs::read_dir(bench.path().join("spool")).unwrap() {
        for file in fs::read_dir(run.unwrap().path()).unwrap() {
            left.push(file.unwrap().path().display().to_string());
        }
    }
    left
}

/// The line is cut for good in each phase before there is anything to go on behind.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_when_the_line_breaks() {
    let server =
        Ftpd::start(Brand::Vsftpd, Setup { protocol: Protocol::Explicit, session_reuse: true, ..Setup::default() });
    let content = csv(2_000);
    let file = server.put("users.csv", &content);
    let link = Link::new(&server, 3, 1).await;
    let bench = bench(&server, &link).await;
    let places = [
        // The greeting, the handshake, the login, the listing, the file.
        (Place::Reply(0), Fault::Cut),
        (Place::Reply(1), Fault::Cut),
        (Place::Request(4), Fault::Cut),
        (Place::Request(9), Fault::Cut),
        (Place::Data(0, 20), Fault::Cut),
        (Place::Data(1, 20), Fault::Cut),
    ];
    for (place, fault) in places {
        link.fail(place, fault);
        let ended = bench.run(Mode::Import).await;
        assert!(link.reached(), "{place:?}");
        assert_eq!(ended.report.reason, Reason::SourceUnreachable, "{place:?}: {}", ended.report.message);
        assert_eq!(users(&bench).await, 0, "{place:?}");
        assert_eq!(left(&bench), Vec::<String>::new(), "{place:?}");
        assert!(fs::read(&file).unwrap() == content, "{place:?}");
    }
    link.repair();
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{}", ended.report.message);
    assert_eq!(users(&bench).await, 2_000);
    assert!(!file.exists() && fs::read(server.outbox().join("bak/users.csv")).unwrap() == content);
    assert_eq!(left(&bench), Vec::<String>::new());
}

/// The line breaks within the file: the run goes on behind what came, on a new login, and takes nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_where_the_line_broke() {
    for (brand, protocol) in [(Brand::Vsftpd, Protocol::Ftp), (Brand::ProFtpd, Protocol::Explicit)] {
        let server = Ftpd::start(brand, Setup { protocol, session_reuse: true, ..Setup::default() });
        let content = csv(20_000);
        let file = server.put("users.csv", &content);
        let (size, half) = (content.len() as u64, content.len() as u64 / 2);
        let link = Link::new(&server, 3, 2).await;
        let bench = bench(&server, &link).await;
        link.fail_once(Place::Data(1, half), Fault::Cut);
        let ended = bench.run(Mode::Import).await;
        assert!(link.reached() && link.logins() >= 2);
        assert_eq!(ended.report.reason, Reason::Completed, "{}", ended.report.message);
        assert_eq!(users(&bench).await, 20_000);
        // What was under way when it broke comes twice, and the listing and the encryption are on top.
        assert!(link.bytes() < size + size / 3, "{} bytes came for a file of {size}", link.bytes());
        assert!(!file.exists() && fs::read(server.outbox().join("bak/users.csv")).unwrap() == content);
        assert_eq!(left(&bench), Vec::<String>::new());
    }
}

//! Every example is valid and does what its comments say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use mail_parser::{MessageParser, MimeHeaders};
use sqlx::{Connection, Row, SqliteConnection};
use tempfile::TempDir;

mod support;
use support::{
    cluster,
    ftpd::{Authority, Brand, Ftpd, NAME, PASSWORD, Protocol, Setup, USER},
    postfix::Postfix,
    postgres::{self, Server},
    sshd::{Sshd, current_user},
};

/// What a command printed, both outputs, and its exit code.
struct Printed {
    text: String,
    code: i32,
}

impl Printed {
    /// Asserts an exit code and texts that must be there.
    fn has(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "{text:?} is not in\n{}", self.text);
        }
    }
}

fn usersync(folder: &Path, arguments: &[&str]) -> Printed {
    let output = Command::new(env!("CARGO_BIN_EXE_usersync")).args(arguments).current_dir(folder).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Printed { text, code: output.status.code().unwrap() }
}

/// A copy of one example, its files an hour old, so that none seems to be uploaded still.
fn example(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&examples().join(name), folder.path());
    folder
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_name() == ".usersync" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            write(&to, &fs::read(entry.path()).unwrap(), 60);
        }
    }
}

/// Writes a file as if it had been written that many minutes ago.
fn write(path: &Path, content: &[u8], minutes_ago: u64) {
    fs::write(path, content).unwrap();
    let time = SystemTime::now() - Duration::from_secs(60 * minutes_ago);
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

async fn rows(database: &Path, query: &'static str) -> Vec<String> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", database.display())).await.unwrap();
    let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

#[test]
fn each_example_is_valid() {
    let mut folders = vec![examples()];
    let mut checked = 0;
    while let Some(folder) = folders.pop() {
        let entries: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.extend(entries.iter().filter(|path| path.is_dir()).cloned());
        let holds_a_sync = |path: &&PathBuf| {
            path.extension().is_some_and(|extension| extension == "yaml")
                && fs::read_to_string(path).unwrap().contains("\nkind: UserSync\n")
        };
        if !entries.iter().any(|path| holds_a_sync(&path)) {
            continue;
        }
        if folder.join("kustomization.yaml").exists() {
            let kubectl = cluster::build(false).join("kubectl");
            let rendered = Command::new(kubectl).arg("kustomize").arg(&folder).output().unwrap();
            assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
            let path = tempfile::tempdir().unwrap();
            fs::write(path.path().join("rendered.yaml"), rendered.stdout).unwrap();
            usersync(path.path(), &["check", "-f", "rendered.yaml"]).has(0, &[": valid"]);
        } else {
            usersync(&folder, &["check", "-f", "."]).has(0, &[": valid"]);
        }
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} examples");
}

/// Somebody who finds a folder without a word about it can't use it.
#[test]
fn each_example_says_what_it_is() {
    for folder in fs::read_dir(examples()).unwrap() {
        let page = folder.unwrap().path().join("README.md");
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.starts_with("# ") && text.contains("```"), "{}", page.display());
    }
}

#[tokio::test]
async fn quickstart_imports_once_and_then_finds_nothing_to_do() {
    let folder = example("quickstart");
    let database = folder.path().join(".usersync/users.db");

    usersync(folder.path(), &["run", "-f", ".", "--simulate"]).has(0, &["quickstart simulation: would add 12"]);
    assert!(!database.exists(), "a simulation makes no database");

    usersync(folder.path(), &["run", "-f", "."]).has(0, &["quickstart: 12 added"]);
    let people = rows(&database, "select display_name || ', ' || locale from users order by employee_id").await;
    assert_eq!(people.len(), 12);
    assert_eq!(people[1], "Zoë Lefèvre, fr");
    assert_eq!(people[7], "Siobhán O'Brien, en", "the default language");

    usersync(folder.path(), &["run", "-f", "."]).has(0, &["quickstart: nothing changed, 12 unchanged"]);
    assert!(folder.path().join("inbox/userdata_2026-11-22.csv").exists(), "the file is kept");
}

#[tokio::test]
async fn mirror_holds_a_removal_and_sets_back_who_returns() {
    let folder = example("mirror");
    let database = folder.path().join(".usersync/users.db");
    let active =
        "select badge || ' ' || coalesce(active, 'never left') from users where badge in ('007', '031') order by badge";
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["staff: 6 added"]);

    let all = fs::read_to_string(folder.path().join("inbox/staff_2026-11.csv")).unwrap();
    let without: String = all.lines().filter(|line| !line.starts_with("031")).map(|line| format!("{line}\n")).collect();
    write(&folder.path().join("inbox/staff_2026-12.csv"), without.as_bytes(), 30);
    let held = usersync(folder.path(), &["run", "-f", "."]);
    held.has(3, &["staff HELD", "safeguards.maxRemovals", "--approve "]);

    let sha256 = held.text.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap();
    usersync(folder.path(), &["run", "-f", ".", "--approve", sha256]).has(0, &["staff: 1 removed"]);
    assert_eq!(rows(&database, active).await, ["007 never left", "031 false"]);

    write(&folder.path().join("inbox/staff_2027-01.csv"), all.as_bytes(), 10);
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["staff: 1 updated"]);
    assert_eq!(rows(&database, active).await, ["007 never left", "031 true"]);
}

#[tokio::test]
async fn delete_list_removes_whom_it_names() {
    let folder = example("delete-list");
    let database = folder.path().join("people.db");
    let schema = fs::read_to_string(folder.path().join("schema.sql")).unwrap();
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", database.display())).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(schema)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    usersync(folder.path(), &["run", "-f", ".", "--simulate"]).has(0, &["leavers simulation: would remove 1"]);
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["leavers: 1 removed"]);
    assert_eq!(rows(&database, "select name from people order by id").await, ["Grete Öhler", "Inês Gonçalves"]);
}

#[tokio::test]
async fn school_reads_an_old_encoding_and_filters() {
    let folder = example("school");
    usersync(folder.path(), &["preview", "-f", "."]).has(0, &["windows-1252", "left out by the filter"]);
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["pupils: 4 added"]);
    let pupils = "select family_name || ', ' || coalesce(class, 'none') || ', ' || born_on || ', ' || login from pupils \
                  order by pupil_number";
    assert_eq!(
        rows(&folder.path().join(".usersync/users.db"), pupils).await,
        [
            "Bräuer, 7a, 2014-03-14, pupil20261",
            "Çelik, 7a, 2013-11-02, pupil20262",
            "Groß, 9c, 2011-06-30, pupil20263",
            "Lindström, none, 2015-01-21, pupil20265"
        ]
    );
}

#[tokio::test]
async fn watch_takes_what_has_come_oldest_first() {
    let folder = example("watch");
    let database = folder.path().join(".usersync/users.db");
    let visitors =
        "select pass_number || ' ' || name || ', ' || coalesce(company, 'alone') from users order by pass_number";
    let inbox = folder.path().join("inbox");
    write(&inbox.join("visitors_1.csv"), &fs::read(inbox.join("visitors_1.csv")).unwrap(), 90);

    usersync(folder.path(), &["run", "-f", "."]).has(0, &["visitors: 2 added", "visitors: 1 added, 1 updated"]);
    let now = [
        "V-1001 Amélie Duval, Atelier Duval",
        "V-1002 Jan de Vries, De Vries Liften",
        "V-1003 Şebnem Aydın, Aydın Mimarlık",
    ];
    assert_eq!(rows(&database, visitors).await, now);
    assert!(inbox.join("bak/visitors_2.csv").exists() && !inbox.join("visitors_1.csv").exists());

    usersync(folder.path(), &["run", "-f", "."]).has(0, &["visitors: "]);
    write(
        &inbox.join("visitors_3.csv"),
        b"Pass,Name,Company,Until\nV-1001,Am\xc3\xa9lie Duval,Duval SA,2027-12-31\n",
        10,
    );
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["visitors: 1 updated"]);
    let shown = usersync(folder.path(), &["schedule", "-f", ".", "-n", "2"]);
    let times: Vec<jiff::Timestamp> = shown.text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(times[1].duration_since(times[0]).as_secs(), 300, "{}", shown.text);
}

/// The example with a real mail server in the place of the one that it names.
#[tokio::test]
async fn mail_goes_to_who_runs_it_and_to_who_sent_the_file_who_corrects_it() {
    let folder = example("mail");
    let postfix = Postfix::start();
    let path = folder.path().join("usersync.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("localhost:1025").count(), 1);
    fs::write(&path, text.replace("localhost:1025", &format!("localhost:{}", postfix.ports.plain))).unwrap();
    let subjects = |mailbox: &str, count: usize| -> Vec<String> {
        let mails = postfix.await_mails(mailbox, count);
        mails.iter().map(|mail| MessageParser::default().parse(mail).unwrap().subject().unwrap().to_owned()).collect()
    };

    usersync(folder.path(), &["run", "-f", "."]).has(4, &["staff: 4 added, 1 rejected"]);
    assert_eq!(subjects("it@example.com", 1), ["staff: 4 added, 1 rejected"]);
    assert_eq!(subjects("hr@example.com", 1), ["staff: 1 of 5 rows rejected (staff_2026-11.csv)"]);
    let mail = postfix.mails("hr@example.com").remove(0);
    let mail = MessageParser::default().parse(&mail).unwrap();
    let rejects = mail.attachment(0).unwrap();
    assert_eq!(rejects.attachment_name(), Some("staff_2026-11_rejects.csv"));
    let corrected = String::from_utf8(rejects.contents().to_vec()).unwrap().replace("@@", "@");
    write(&folder.path().join("inbox/staff_2026-11_rejects.csv"), corrected.as_bytes(), 30);
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["staff correction: 1 added"]);
    assert_eq!(subjects("it@example.com", 2)[1], "staff correction: 1 added");
    let database = folder.path().join(".usersync/users.db");
    let people = rows(&database, "select badge || ' ' || email from users order by badge").await;
    assert_eq!((people.len(), people[2].as_str()), (5, "0031 sebnem.aydin@example.com"));
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["staff: "]);
    postfix.rests();
    let counts = ["it@example.com", "hr@example.com"].map(|mailbox| postfix.mails(mailbox).len());
    assert_eq!(counts, [2, 1], "nothing changed, nobody is told");
}

/// The example with a real server in the place of the one that it names.
#[tokio::test]
async fn ftps_unpacks_a_file_once_its_marker_is_there() {
    let folder = example("ftps");
    let server = Ftpd::start(Brand::ProFtpd, Setup { protocol: Protocol::Explicit, chroot: true, ..Setup::default() });
    let path = folder.path().join("usersync.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let authority = Authority::usual().certificate.trim().replace('\n', "\n    ");
    let place = text.split("  ca.crt: |\n    ").nth(1).unwrap().trim_end();
    let replaced = [
        ("host: ftp.example.com", format!("host: 127.0.0.1\n      port: {}\n      serverName: {NAME}", server.port())),
        ("path: outbox", "stableFor: 1s\n    path: outbox".to_owned()),
        ("username: usersync", format!("username: {USER}")),
        ("password: change-me", format!("password: {PASSWORD:?}")),
        (place, authority),
    ];
    let text = replaced.iter().fold(text.clone(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text.replace(old, new)
    });
    fs::write(&path, text).unwrap();

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"permit,Plate,Until\nP1,B-AD 1815,2027-01-31\nP2,M-GH 1906,2026-12-31\n").unwrap();
    server.put("permits_2026-11.csv.gz", &packed.finish().unwrap());
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["parking: no file"]);
    server.put("permits_2026-11.csv.gz.done", b"");
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["parking: 2 added", "permits_2026-11.csv.gz"]);
    let database = folder.path().join(".usersync/users.db");
    assert_eq!(
        rows(&database, "select permit || ' ' || plate from users order by 1").await,
        ["P1 B-AD 1815", "P2 M-GH 1906"]
    );
    for name in ["permits_2026-11.csv.gz", "permits_2026-11.csv.gz.done"] {
        assert!(server.outbox().join("done").join(name).exists() && !server.outbox().join(name).exists(), "{name}");
    }
}

/// The statements that `docs/safety.md` shows, block by block.
fn documented_rights() -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/safety.md")).unwrap();
    page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The example with a real server and database in the place of those that it names, as a role with the documented rights alone.
#[test]
fn sftp_postgres_imports_from_a_server_into_a_database() {
    let folder = example("sftp-postgres");
    let server = Sshd::start("");
    let admin = Server::shared().create_database();
    let rights = documented_rights();
    postgres::sql(&admin, &fs::read_to_string(folder.path().join("schema.sql")).unwrap());
    postgres::sql(&admin, &rights[0]);
    postgres::sql(&admin, "alter role usersync password 'change me'");
    postgres::sql(
        &admin,
        "insert into users (org, employee_id, email, display_name, password_hash) values \
         ('acme', 'E1', 'old@example.com', 'Ann Old', 'hash'), ('other', 'E2', 'bo@example.com', 'Bo Other', 'hash')",
    );
    for part in documents(folder.path(), &server, &Server::shared().url_for(&admin, "usersync", "change me")) {
        fs::write(folder.path().join(part.0), part.1).unwrap();
    }

    let header = "employee_id;Type;E-mail;First;Last;Department;Start;Language;Band\n";
    let first = format!(
        "{header}E1;employee;ann@example.com;Ann;Müller;IT;01.03.2020;;B2\n\
         E2;employee;bo@example.com;Bo;Åkesson;IT;15.12.2024;sv;B1\nX9;contractor;;;;;;;\n"
    );
    write(&server.outbox().join("userdata_1.csv"), first.as_bytes(), 60);
    usersync(folder.path(), &["check", "-f", "."]).has(0, &["hr: valid"]);
    usersync(folder.path(), &["run", "-f", ".", "--simulate"]).has(3, &["hr simulation HELD", "maxUpdated"]);
    assert!(server.outbox().join("userdata_1.csv").exists());
    // One of one active user would be updated: more than the 30 % that the example allows.
    postgres::sql(
        &admin,
        "insert into users (org, employee_id, email) select 'acme', 'T' || n, 't' || n || '@example.com' \
         from generate_series(1, 9) n",
    );
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["hr: 1 added, 1 updated", "filtered   1", "(empty) → •••"]);
    assert!(server.outbox().join("bak/userdata_1.csv").exists());
    let table = "select org, employee_id, email, display_name, starts_on, locale, salary_band, password_hash \
                 from users where employee_id in ('E1', 'E2') order by org, employee_id";
    let imported = "acme|E1|ann@example.com|Ann Müller|2020-03-01|en|B2|hash\n\
                    acme|E2|bo@example.com|Bo Åkesson|2024-12-15|sv|B1|\n\
                    other|E2|bo@example.com|Bo Other||en||hash";
    assert_eq!(postgres::sql(&admin, table), imported);

    postgres::sql(&admin, &rights[1]);
    write(&server.outbox().join("userdata_2.csv"), first.replace("Åkesson", "Ek").as_bytes(), 30);
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["hr: 1 updated", "Bo Åkesson → Bo Ek"]);
    assert_eq!(postgres::sql(&admin, table), imported.replace("Åkesson", "Ek"));
    usersync(folder.path(), &["run", "-f", "."]).has(0, &["hr: "]);
}

/// The example's files with its placeholders replaced.
fn documents(folder: &Path, server: &Sshd, url: &str) -> [(&'static str, String); 2] {
    let text = fs::read_to_string(folder.join("usersync.yaml")).unwrap();
    let sync = text.split("\n---").next().unwrap();
    let key = sync.lines().find(|line| line.trim().starts_with("- ssh-ed25519")).expect("a host key");
    let replaced = [
        ("host: files.example.com", "host: 127.0.0.1".to_owned()),
        ("port: 22", format!("port: {}", server.port)),
        (key.trim().trim_start_matches("- "), server.host_key("ed25519")),
        ("path: /outbox", format!("path: {}\n    stableFor: 1s", server.outbox().display())),
    ];
    let sync = replaced.iter().fold(sync.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text.replace(old, new)
    });
    let user = current_user();
    let key = server.new_key(&user, &["-t", "ed25519"], "");
    let secret = |name: &str, values: serde_json::Value| serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values});
    let secrets = [
        secret("hr-sftp", serde_json::json!({"username": user, "privateKey": key.expose()})),
        secret("users-db", serde_json::json!({"url": url})),
    ];
    [("usersync.yaml", sync), ("secrets.yaml", format!("{}\n---\n{}\n", secrets[0], secrets[1]))]
}

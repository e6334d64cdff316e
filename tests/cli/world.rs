//! A folder with manifests, an inbox and the binary.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

/// Three people.
pub const THREE: &str = "id,name,mail\nE1,Ann,ann@example.com\nE2,Bob,bob@example.com\nE3,Cem,cem@example.com\n";

/// The manifest of sync `hr`: takes `userdata_*.csv` from `inbox` into the embedded database. Each change is a line that
/// takes the place of the spec's line with the same key.
pub fn hr(changes: &[&str]) -> String {
    named("hr", changes)
}

/// As [`hr`], with a name.
pub fn named(name: &str, changes: &[&str]) -> String {
    let mut lines = vec![
        "source: {directory: {path: inbox}}",
        "mapping: {userId: {column: id}, properties: [{property: name}, {property: mail, type: Email}]}",
        "target: {}",
    ];
    for change in changes {
        let key = change.split(':').next().unwrap();
        lines.retain(|line| line.split(':').next() != Some(key));
        lines.push(change);
    }
    let spec: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: usersync.dev/v1alpha1\nkind: UserSync\nmetadata: {{name: {name}}}\nspec:\n{spec}")
}

/// `count` people, `E1` to `E{count}`.
pub fn people(count: usize) -> String {
    let rows: String = (1..=count).map(|n| format!("E{n},Name {n},e{n}@example.com\n")).collect();
    format!("id,name,mail\n{rows}")
}

pub struct World {
    folder: TempDir,
}

impl World {
    /// With the manifest `hr.yaml`.
    pub fn new(changes: &[&str]) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(world.path("inbox")).unwrap();
        world.write("hr.yaml", hr(changes));
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file as of an hour ago: it stands still.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write_aged(name, text, 3600);
    }

    /// Writes a file that was changed so many seconds ago.
    pub fn write_aged(&self, name: &str, text: impl AsRef<[u8]>, seconds: u64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().append(true).open(&path).unwrap().set_modified(then).unwrap();
    }

    /// A file in the inbox.
    pub fn drop_file(&self, text: impl AsRef<[u8]>) {
        self.write("inbox/userdata_1.csv", text);
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// The names in a folder, sorted; without hidden ones and SQLite's journals, which another connection may have open.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !(name.starts_with('.') || name.ends_with("-wal") || name.ends_with("-shm")));
        names.sort();
        names
    }

    /// The binary, in this folder, with a clean environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
        command.args(args).current_dir(self.folder.path()).env_remove("USERSYNC_LOG").stdin(Stdio::null());
        command
    }

    pub fn usersync(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// With something on standard input.
    pub fn piped(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// `run -f hr.yaml -o json` and more arguments: its only line, and the exit code.
    pub fn run(&self, more: &[&str]) -> One {
        let ran = self.usersync(&[&["run", "-f", "hr.yaml", "-o", "json"], more].concat());
        let lines: Vec<_> = ran.stdout.lines().collect();
        let [line] = lines.as_slice() else { panic!("not one line: {ran:?}") };
        assert_eq!(ran.stderr, "", "the report says it all");
        One { code: ran.code, report: serde_json::from_str(line).unwrap() }
    }

    /// Imports a file and expects that all went well.
    pub fn import(&self, text: &str) -> One {
        self.drop_file(text);
        let one = self.run(&[]);
        assert_eq!(one.code, 0, "{one:?}");
        one
    }

    /// Rows of the embedded database, one text each.
    pub fn users(&self, select: &str) -> Vec<String> {
        self.query(".usersync/users.db", select)
    }

    pub fn query(&self, file: &str, select: &str) -> Vec<String> {
        block(async {
            let options = SqliteConnectOptions::new().filename(self.path(file));
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows.iter().map(|row| row.get::<Option<String>, _>(0).unwrap_or_else(|| "NULL".into())).collect()
        })
    }

    /// Another program's statements.
    pub fn sql(&self, file: &str, statements: &str) {
        block(async {
            let options = SqliteConnectOptions::new().filename(self.path(file)).create_if_missing(true);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// The embedded database's bytes, with nothing left in its journal.
    pub fn database(&self) -> Vec<u8> {
        self.users("pragma journal_mode");
        fs::read(self.path(".usersync/users.db")).unwrap()
    }

    /// Ids and names of the embedded database.
    pub fn names_of_users(&self) -> Vec<String> {
        self.users("select id || ' ' || coalesce(name, '-') from users order by id")
    }

    /// Compares with a golden file, after what differs from run to run is masked.
    pub fn golden(&self, name: &str, text: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli").join(name);
        let found = masked(&text.replace(self.folder.path().to_str().unwrap(), "FOLDER"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{name}\n--- found\n{found}\n--- expected\n{expected}");
    }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Run names, times, durations and the version.
pub fn masked(text: &str) -> String {
    let masks = [
        (r"\b([a-z]+)-[0-9a-f]{20}\b", "$1-RUN"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"took     [0-9.,]+ s", "took     SOME s"),
        (r#""(look|fetch|read|compare|apply|finish|total)":\d+\.\d+(e-\d+)?"#, "\"$1\":0.0"),
    ];
    masks
        .iter()
        .fold(text.to_owned(), |text, (mask, by)| regex::Regex::new(mask).unwrap().replace_all(&text, *by).into_owned())
}

/// What a process printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// One run's JSON line.
#[derive(Debug)]
pub struct One {
    pub code: i32,
    pub report: serde_json::Value,
}

impl One {
    pub fn reason(&self) -> &str {
        self.report["reason"].as_str().unwrap()
    }

    pub fn message(&self) -> &str {
        self.report["message"].as_str().unwrap()
    }

    pub fn sha256(&self) -> &str {
        self.report["file"]["sha256"].as_str().unwrap()
    }

    pub fn count(&self, name: &str) -> u64 {
        self.report["counts"][name].as_u64().unwrap()
    }

    /// The counts that are not zero: `read 3, added 3`.
    pub fn counts(&self) -> String {
        let counts = self.report["counts"].as_object().unwrap();
        let words: Vec<_> =
            counts.iter().filter(|(_, n)| n.as_u64() != Some(0)).map(|(name, n)| format!("{name} {n}")).collect();
        words.join(", ")
    }

    /// The guard's reasons in one text.
    pub fn held(&self) -> String {
        let reasons = self.report["guard"]["reasons"].as_array().unwrap();
        reasons.iter().map(|reason| reason.as_str().unwrap()).collect::<Vec<_>>().join("; ")
    }

    pub fn warnings(&self) -> String {
        self.report["warnings"].to_string()
    }

    /// A report's content, unpacked.
    pub fn report_text(&self, world: &World, kind: &str) -> String {
        let path = self.report["reports"][kind].as_str().unwrap_or_else(|| panic!("no {kind}: {self:?}"));
        let bytes = fs::read(world.path(path)).unwrap();
        if !path.ends_with(".gz") {
            return String::from_utf8(bytes).unwrap();
        }
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        text
    }
}

//! What people would do instead: a script for the database's own client that loads the file into a temporary table and merges it,
//! all in one transaction. It checks nothing and reports nothing. Or Sling, a program that copies files into databases.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use super::people::HEADER;

/// What is asked of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Bring in the file's users.
    Merge,
    /// And remove those whom it doesn't name.
    Mirror,
    /// Remove those whom it names.
    Delete,
}

/// A database.
#[derive(Clone, Debug)]
pub enum Database {
    /// By its URL.
    Postgres(String),
    /// By the client's program and the socket: user `bench`, no password, database `bench`.
    MariaDb { client: PathBuf, socket: PathBuf },
    /// UserSync's embedded database, and a file for the script.
    Sqlite,
}

impl Database {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::MariaDb { .. } => "MariaDB",
            Self::Sqlite => "SQLite",
        }
    }
}

/// The script's table.
const THEIRS: &str = "theirs";
/// UserSync's table.
const OURS: &str = "users";
/// Sling's table.
const SLINGS: &str = "slings";

/// The database's client, and a table for each of the two.
pub struct Peer<'a> {
    database: &'a Database,
    file: PathBuf,
}

impl<'a> Peer<'a> {
    pub fn new(database: &'a Database, folder: &Path) -> Self {
        Self { database, file: folder.join("theirs.db") }
    }

    /// Where UserSync finds its table. None: the embedded database.
    pub fn url(&self) -> Option<String> {
        match self.database {
            Database::Postgres(url) => Some(url.clone()),
            Database::MariaDb { socket, .. } => {
                Some(format!("mysql://bench@localhost/bench?socket={}", socket.display()))
            }
            Database::Sqlite => None,
        }
    }

    /// Makes the tables anew, with their keys and nobody in them; `unique`: no two users have one e-mail address.
    pub fn make_tables(&self, unique: bool) {
        for table in [OURS, THEIRS, SLINGS] {
            self.run(&format!("drop table if exists {table}; {}", self.table(table, unique)));
        }
    }

    fn table(&self, name: &str, unique: bool) -> String {
        let column = |column: &str| match (self.database, column.trim()) {
            (_, "employee_id") => "employee_id varchar(32) not null primary key".to_owned(),
            (Database::Sqlite, other) => format!("{other} text"),
            (_, "email") => format!("email varchar(320){}", if unique { " unique" } else { "" }),
            (_, "country") => "country varchar(2)".to_owned(),
            (_, "start_date") => "start_date date".to_owned(),
            (_, "active") => "active boolean".to_owned(),
            (Database::MariaDb { .. }, other) => format!("{other} varchar(190)"),
            (_, other) => format!("{other} text"),
        };
        format!("create table {name} ({});", HEADER.split(',').map(column).collect::<Vec<_>>().join(", "))
    }

    /// Seconds that the script takes.
    pub fn script(&self, work: Work, file: &Path) -> f64 {
        let script = match self.database {
            Database::Postgres(_) => postgres(work, file),
            Database::MariaDb { .. } => mariadb(work, file),
            Database::Sqlite => sqlite(work, file),
        };
        let began = Instant::now();
        self.run(&script);
        began.elapsed().as_secs_f64()
    }

    /// Seconds that Sling (this program) takes to bring in the file's users. None: on this database it isn't measured.
    pub fn sling(&self, program: &Path, file: &Path) -> Option<f64> {
        let Database::Postgres(url) = self.database else { return None };
        let mut sling = Command::new(program);
        sling.args(["run", "--src-stream"]).arg(format!("file://{}", file.display()));
        sling.args(["--tgt-conn", "BENCH", "--tgt-object", &format!("public.{SLINGS}")]);
        sling.args(["--mode", "incremental", "--primary-key", "employee_id"]);
        // It asks for the server's certificate otherwise, and tells its makers how it is used.
        sling.env("BENCH", format!("{url}?sslmode=disable")).env("SLING_DISABLE_TELEMETRY", "true");
        let began = Instant::now();
        let done = sling.stdout(Stdio::null()).stderr(Stdio::piped()).output().expect("sling");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Some(began.elapsed().as_secs_f64())
    }

    /// Brings what was written to the disk, and forgets what was deleted: what one did is not the next one's burden.
    pub fn settle(&self) {
        match self.database {
            Database::Postgres(_) => {
                self.run("vacuum (analyze) users;");
                self.run("vacuum (analyze) theirs;");
                self.run("vacuum (analyze) slings;");
                self.run("checkpoint");
            }
            Database::MariaDb { .. } => {
                // Waits until old versions of rows are gone.
                self.run("set global innodb_max_purge_lag_wait = 0;");
                self.run("analyze table users, theirs;");
            }
            Database::Sqlite => {}
        }
        assert!(Command::new("sync").status().unwrap().success());
    }

    fn run(&self, script: &str) {
        let mut client = match self.database {
            Database::Postgres(url) => {
                let mut client = Command::new("psql");
                client.args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"]);
                client
            }
            Database::MariaDb { client: program, socket } => {
                let mut client = Command::new(program);
                client.env("LD_LIBRARY_PATH", program.parent().unwrap().with_file_name("lib"));
                client.args(["--no-defaults", "--local-infile=1", "--user=bench", "--socket"]).arg(socket).arg("bench");
                client
            }
            Database::Sqlite => {
                let mut client = Command::new("sqlite3");
                client.arg("-bail").arg(&self.file);
                client
            }
        };
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the database's client");
        std::io::Write::write_all(&mut client.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(client.wait().unwrap().success(), "{script}");
    }
}

fn columns() -> impl Iterator<Item = &'static str> {
    HEADER.split(',').map(str::trim)
}

/// All columns but the key, each in the words that `each` makes of it.
fn others(each: impl Fn(&str) -> String) -> String {
    columns().skip(1).map(each).collect::<Vec<_>>().join(", ")
}

fn postgres(work: Work, file: &Path) -> String {
    let file = file.display();
    if work == Work::Delete {
        return format!(
            "begin; create temporary table incoming (employee_id text) on commit drop;\n\
             \\copy incoming from '{file}' with (format csv, header)\n\
             delete from {THEIRS} as t using incoming as i where t.employee_id = i.employee_id; commit;"
        );
    }
    let removal = match work {
        Work::Mirror => format!(
            "delete from {THEIRS} as t where not exists (select from incoming as i where i.employee_id = t.employee_id);"
        ),
        _ => String::new(),
    };
    format!(
        "begin; create temporary table incoming (like {THEIRS}) on commit drop;\n\
         \\copy incoming from '{file}' with (format csv, header)\n\
         {removal} insert into {THEIRS} select * from incoming on conflict (employee_id) do update set {} \
         where ({}) is distinct from ({}); commit;",
        others(|column| format!("{column} = excluded.{column}")),
        others(|column| format!("{THEIRS}.{column}")),
        others(|column| format!("excluded.{column}")),
    )
}

fn mariadb(work: Work, file: &Path) -> String {
    let file = file.display();
    let load = |into: &str| {
        format!(
            "load data local infile '{file}' into table incoming character set utf8mb4 fields terminated by ',' \
             optionally enclosed by '\"' lines terminated by '\\n' ignore 1 lines {into};\n"
        )
    };
    if work == Work::Delete {
        return format!(
            "begin; create temporary table incoming (employee_id varchar(32) not null primary key);\n{}\
             delete t from {THEIRS} as t join incoming as i on t.employee_id = i.employee_id; commit;",
            load("")
        );
    }
    let removal = match work {
        Work::Mirror => {
            format!(
                "delete t from {THEIRS} as t left join incoming as i on i.employee_id = t.employee_id where i.employee_id is null;"
            )
        }
        _ => String::new(),
    };
    // The server's `boolean` is a number.
    let read: Vec<_> = columns().map(|column| if column == "active" { "@active" } else { column }).collect();
    format!(
        "begin; create temporary table incoming like {THEIRS};\n{}{removal} \
         insert into {THEIRS} select * from incoming on duplicate key update {}; commit;",
        load(&format!("({}) set active = (@active = 'true')", read.join(", "))),
        others(|column| format!("{column} = values({column})")),
    )
}

fn sqlite(work: Work, file: &Path) -> String {
    let file = file.display();
    if work == Work::Delete {
        return format!(
            "begin; create temporary table incoming (employee_id text);\n\
             .import --csv --skip 1 --schema temp '{file}' incoming\n\
             delete from {THEIRS} where employee_id in (select employee_id from incoming); commit;\n"
        );
    }
    let removal = match work {
        Work::Mirror => {
            format!("delete from {THEIRS} where employee_id not in (select employee_id from incoming);")
        }
        _ => String::new(),
    };
    let wanted: Vec<_> = columns().map(|column| format!("{column} text")).collect();
    format!(
        "begin; create temporary table incoming ({});\n\
         .import --csv --skip 1 --schema temp '{file}' incoming\n\
         {removal} insert into {THEIRS} select * from incoming where true on conflict (employee_id) do update set {} \
         where ({}) is not ({}); commit;\n",
        wanted.join(", "),
        others(|column| format!("{column} = excluded.{column}")),
        others(|column| format!("{THEIRS}.{column}")),
        others(|column| format!("excluded.{column}")),
    )
}

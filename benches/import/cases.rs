//! The cases: what lies in the table, what the file says, and what is measured.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use usersync::model::job::SftpJob;

use super::{
    measure::{Measured, run},
    peers::{Database, Peer, Work},
    people::{self, People},
    support::sshd::Sshd,
};

/// How it is measured.
pub struct Plan {
    pub rounds: usize,
    /// Cases whose names have this.
    pub only: String,
    /// Without the script.
    pub alone: bool,
    /// Sling's program, where it is measured too.
    pub sling: Option<PathBuf>,
}

/// One line of the table.
struct Case {
    name: &'static str,
    file: &'static str,
    work: Work,
    /// Of `spec`.
    action: &'static str,
    conflict: &'static str,
    /// Nobody is in the table.
    empty: bool,
    /// Beside the key, e-mail addresses have a unique index: most of the time is the database's then, for both.
    unique: bool,
    /// The file comes over SFTP on loopback; instead of the script, it is measured beside the same from disk.
    sftp: bool,
    /// The most seconds, in those of the script.
    goal: fn(&Database) -> f64,
}

const CASES: &[Case] = &[
    Case { empty: true, goal: |on| on.goal(0.55), ..case("first load", "all", Work::Merge) },
    Case { goal: |on| on.goal(0.30), ..case("same file again", "all", Work::Merge) },
    Case { empty: true, unique: true, goal: |_| 1.0, ..case("first load, unique e-mails", "all", Work::Merge) },
    Case { empty: true, sftp: true, goal: |_| 1.1, ..case("first load by SFTP", "all", Work::Merge) },
    Case { sftp: true, goal: |_| 1.1, ..case("same file again by SFTP", "all", Work::Merge) },
    Case { goal: |on| on.goal(0.35), ..case("1 % changed", "changed", Work::Merge) },
    Case { action: "Mirror", goal: |on| on.goal(0.40), ..case("Mirror with 1 % gone", "gone", Work::Mirror) },
    Case { conflict: "Replace", goal: |on| on.goal(0.40), ..case("Replace with 1 % changed", "changed", Work::Merge) },
    Case { action: "Delete", goal: |_| 1.0, ..case("Delete of 1 % by a list", "list", Work::Delete) },
    // Of what the script takes for the whole file, again.
    Case { goal: |_| 0.05, ..case("1,000 users of a day", "day", Work::Merge) },
];

const fn case(name: &'static str, file: &'static str, work: Work) -> Case {
    Case {
        name,
        file,
        work,
        action: "Upsert",
        conflict: "Update",
        empty: false,
        unique: false,
        sftp: false,
        goal: |_| 1.0,
    }
}

impl Database {
    /// `of` is for PostgreSQL; the others have goals of their own.
    fn goal(&self, of: f64) -> f64 {
        match self {
            Self::Postgres(_) => of,
            Self::MariaDb { .. } => 2.0,
            Self::Sqlite => 1.0,
        }
    }
}

/// Measures all cases on a database.
pub fn measure(database: &Database, rows: u64, plan: &Plan) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench {
        database,
        peer: Peer::new(database, folder.path()),
        server: Server::start(),
        folder: folder.path(),
        rows,
    };
    bench.write_files();
    bench.start_anew(false);
    let mut full = false; // everybody is in the tables
    let mut again = f64::NAN; // the script's seconds for the whole file, again
    for case in CASES.iter().filter(|case| case.name.contains(&plan.only)) {
        let (mut ours, mut theirs, mut slings, mut simulated) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut peak = 0;
        let mut last = None;
        for _ in 0..plan.rounds {
            if case.empty {
                bench.start_anew(case.unique);
            } else if !full {
                bench.fill(plan);
            }
            bench.peer.settle();
            if case.sftp {
                theirs.push(bench.run(&Case { sftp: false, ..*case }, false).seconds);
                if case.empty {
                    bench.start_anew(false);
                }
                bench.peer.settle();
            }
            simulated.push(bench.run(case, true).seconds);
            bench.peer.settle();
            let measured = bench.run(case, false);
            bench.check(case, &measured);
            ours.push(measured.seconds);
            peak = peak.max(measured.peak_kib);
            last = Some(measured);
            if !plan.alone && !case.sftp && case.file != "day" {
                bench.peer.settle();
                theirs.push(bench.peer.script(case.work, &bench.file(case.file)));
            }
            if let (Work::Merge, false, "all" | "changed", Some(sling)) = (case.work, case.sftp, case.file, &plan.sling)
            {
                bench.peer.settle();
                slings.extend(bench.peer.sling(sling, &bench.file(case.file)));
            }
            full = case.file == "all";
        }
        let of = if case.file == "day" { again } else { median(&mut theirs) };
        if case.name == "same file again" {
            again = of;
        }
        let ours = median(&mut ours);
        bench.print(case.name, ours, of, (case.goal)(database), peak, last.as_ref());
        bench.print("  its simulation", median(&mut simulated), ours, 1.0, 0, None);
        if !slings.is_empty() {
            bench.print("  beside Sling", ours, median(&mut slings), 1.0, 0, None);
        }
    }
}

/// A server to which the whole file has been uploaded.
struct Server {
    sshd: Sshd,
    job: SftpJob,
}

impl Server {
    fn start() -> Self {
        let sshd = Sshd::start("");
        Self { job: sshd.job_with_key(), sshd }
    }

    fn source(&self) -> Value {
        json!({
            "sftp": {
                "host": self.job.host, "port": self.job.port, "credentials": {"name": "server"}, "hostKeys": self.job.host_keys,
            },
            "path": self.job.path,
        })
    }

    /// How to log in there.
    fn secret(&self) -> Value {
        let key = self.job.private_key.as_ref().unwrap().expose();
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "server"},
            "stringData": {"username": self.job.username, "privateKey": key},
        })
    }
}

struct Bench<'a> {
    database: &'a Database,
    peer: Peer<'a>,
    server: Server,
    folder: &'a Path,
    rows: u64,
}

impl Bench<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name).join("userdata_people.csv")
    }

    fn write_files(&self) {
        let people = People::new(self.rows);
        for (name, people) in
            [("all", people), ("changed", People { changed: 1.0, ..people }), ("gone", People { gone: 1.0, ..people })]
        {
            self.write(name, |file| _ = people.write(file).unwrap());
        }
        fs::hard_link(self.file("all"), self.server.sshd.outbox().join("userdata_people.csv")).unwrap();
        self.write("list", |file| {
            writeln!(file, "employee_id").unwrap();
            people.numbers_gone(1.0).for_each(|number| writeln!(file, "E{number:07}").unwrap());
        });
        // Every thousandth of all, and one in a hundred of them changed.
        let step = (self.rows / 1_000).max(1);
        self.write("day", |file| people.every(step, 1.0, file).unwrap());
    }

    /// Its time is an hour ago, so that nobody waits for an upload to end.
    fn write(&self, name: &str, write: impl FnOnce(&mut BufWriter<File>)) {
        let path = self.file(name);
        fs::create_dir(path.parent().unwrap()).unwrap();
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
        write(&mut file);
        let file = file.into_inner().unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }

    /// Nobody is in the tables.
    fn start_anew(&self, unique: bool) {
        self.peer.make_tables(unique);
        if let Database::Sqlite = self.database {
            let _ = fs::remove_dir_all(self.folder.join("state"));
        }
    }

    /// Everybody is in the tables as the file says.
    fn fill(&self, plan: &Plan) {
        self.run(&case("", "all", Work::Merge), false);
        if !plan.alone {
            self.peer.script(Work::Mirror, &self.file("all"));
        }
        if let Some(sling) = &plan.sling {
            self.peer.sling(sling, &self.file("all"));
        }
    }

    fn run(&self, case: &Case, simulate: bool) -> Measured {
        let manifest = self.folder.join("usersync.yaml");
        fs::write(&manifest, format!("{}\n---\n{}\n", self.manifest(case), self.server.secret())).unwrap();
        run(&manifest, &self.folder.join("state"), simulate)
    }

    fn manifest(&self, case: &Case) -> Value {
        let properties: Vec<_> = people::HEADER.split(',').skip(1).map(|name| json!({"property": name})).collect();
        let mut source = match case.sftp {
            true => self.server.source(),
            false => json!({"directory": {"path": case.file}}),
        };
        let rest = json!({"files": "*.csv", "stableFor": "0s", "maxSize": "4Gi", "afterImport": {"keep": {}}});
        source.as_object_mut().unwrap().append(&mut rest.as_object().unwrap().clone());
        let target = match self.peer.url() {
            Some(url) => json!({"url": {"value": url}}),
            None => json!({}),
        };
        json!({
            "apiVersion": "usersync.dev/v1alpha1",
            "kind": "UserSync",
            "metadata": {"name": "bench"},
            "spec": {
                "source": source,
                "mapping": {"userId": {"column": "employee_id"}, "properties": properties},
                "action": case.action,
                "conflictMode": case.conflict,
                "target": target,
            },
        })
    }

    /// That it did what the case is about.
    fn check(&self, case: &Case, measured: &Measured) {
        let count = |name: &str| measured.report["counts"][name].as_u64().unwrap();
        let hundredth = self.rows / 200..=self.rows / 50;
        let right = match (case.name, case.action) {
            (name, _) if name.starts_with("first load") => count("added") == self.rows,
            (name, _) if name.starts_with("same file again") => count("unchanged") == self.rows,
            (_, "Mirror" | "Delete") => hundredth.contains(&count("removed")),
            ("1,000 users of a day", _) => count("read") >= 1_000 && count("added") == 0,
            _ => hundredth.contains(&count("updated")),
        };
        assert!(right && count("rejected") == 0, "{}: {}", case.name, measured.report);
    }

    fn print(&self, case: &str, ours: f64, of: f64, goal: f64, peak: u64, last: Option<&Measured>) {
        let steps = last.map_or_else(String::new, |last| {
            let timings = last.report["timings"].as_object().unwrap();
            let steps = timings.iter().filter(|(step, _)| !["total", "look"].contains(&step.as_str()));
            steps.map(|(step, s)| format!("{step} {:.2}", s.as_f64().unwrap())).collect::<Vec<_>>().join(", ")
        });
        let peak = if peak == 0 { String::new() } else { format!("{} MiB", peak / 1024) };
        let missed = if ours / of > goal { "!" } else { "" };
        println!(
            "{:<10} {:>10}  {case:<32} {ours:>7.2} s {of:>7.2} s {:>6.2} {goal:>5.2}{missed:<1} {peak:>9}   {steps}",
            self.database.name(),
            self.rows,
            ours / of
        );
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

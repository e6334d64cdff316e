//! How fast an import is and how much memory it takes: first load, unchanged, 1 % changed, on SQLite and PostgreSQL. The
//! binary is run as people run it, a process for each measurement.
//!
//! ```text
//! benches/run 1000000                          with a PostgreSQL of its own
//! cargo bench --bench import -- 100000         SQLite only
//! cargo bench --bench import -- 100000 --postgres postgres://localhost/bench
//! cargo bench --bench import -- --write people.csv 100000
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod measure;
mod people;

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use measure::{Measured, run};
use people::People;
use serde_json::json;

fn main() {
    let mut sizes = Vec::new();
    let mut postgres = None;
    let mut write = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // from cargo
            "--postgres" => postgres = Some(arguments.next().expect("--postgres URL")),
            "--write" => write = Some(PathBuf::from(arguments.next().expect("--write FILE"))),
            number => sizes.push(number.replace(['_', ','], "").parse::<u64>().expect("a number of users")),
        }
    }
    if sizes.is_empty() {
        sizes.push(1_000_000);
    }
    if let Some(path) = write {
        write_people(&People::new(sizes[0]), &path);
        return;
    }
    println!(
        "{:<10} {:>10}  {:<12} {:>9} {:>11} {:>10}   steps",
        "database", "users", "case", "seconds", "users/s", "peak"
    );
    for rows in sizes {
        assert!((1_000..=10_000_000).contains(&rows), "1,000 to 10,000,000 users");
        measure_all("SQLite", rows, None);
        match &postgres {
            Some(url) => measure_all("PostgreSQL", rows, Some(url)),
            None => println!("PostgreSQL is not measured: give --postgres URL, or use benches/run"),
        }
    }
}

/// The three cases on one database, one after the other on the same table.
fn measure_all(database: &str, rows: u64, postgres: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inbox")).unwrap();
    fs::write(folder.path().join("usersync.yaml"), manifest(postgres).to_string()).unwrap();
    if let Some(url) = postgres {
        psql(url, include_str!("schema.sql"));
    }

    let people = People::new(rows);
    inbox(folder.path(), &people);
    let measured = run(folder.path());
    assert_eq!(measured.report["counts"]["added"], rows, "{}", measured.report);
    print(database, rows, "first load", &measured);

    inbox(folder.path(), &people);
    let measured = run(folder.path());
    assert_eq!(measured.report["counts"]["unchanged"], rows, "{}", measured.report);
    print(database, rows, "unchanged", &measured);

    let changed = inbox(folder.path(), &People { changed: 1.0, ..people });
    let measured = run(folder.path());
    assert_eq!(measured.report["counts"]["updated"], changed, "{}", measured.report);
    print(database, rows, "1 % changed", &measured);
}

fn print(database: &str, rows: u64, case: &str, measured: &Measured) {
    let timings = measured.report["timings"].as_object().unwrap();
    let steps = timings.iter().filter(|(step, _)| *step != "total" && *step != "look");
    let steps: Vec<_> = steps.map(|(step, s)| format!("{step} {:.1}", s.as_f64().unwrap())).collect();
    println!(
        "{database:<10} {rows:>10}  {case:<12} {:>9.2} {:>11.0} {:>6} MiB   {}",
        measured.seconds,
        rows as f64 / measured.seconds,
        measured.peak_kib / 1024,
        steps.join(", ")
    );
}

/// Puts one file into the inbox in place of the one before and says how many of its people are changed. Its time is an hour
/// ago, so that nobody waits for an upload to end.
fn inbox(folder: &Path, people: &People) -> u64 {
    let path = folder.join("inbox/userdata_people.csv");
    let changed = write_people(people, &path);
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::options().append(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
    changed
}

fn write_people(people: &People, path: &Path) -> u64 {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    people.write(&mut file).unwrap().1
}

fn manifest(postgres: Option<&str>) -> serde_json::Value {
    let properties: Vec<_> = people::HEADER.split(',').skip(1).map(|name| json!({"property": name})).collect();
    let target = match postgres {
        Some(url) => json!({"url": {"value": url}}),
        None => json!({}),
    };
    json!({
        "apiVersion": "usersync.dev/v1alpha1",
        "kind": "UserSync",
        "metadata": {"name": "bench"},
        "spec": {
            "source": {"directory": {"path": "inbox"}, "maxSize": "4Gi", "afterImport": {"keep": {}}},
            "mapping": {"userId": {"column": "employee_id"}, "properties": properties},
            "target": target,
        },
    })
}

fn psql(url: &str, sql: &str) {
    let done = Command::new("psql").args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]).status();
    assert!(done.expect("psql").success(), "psql could not make the table");
}

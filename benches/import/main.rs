//! How long an import takes and how much memory, beside the script that people would write by hand: the client of the
//! database loads the file into a temporary table and merges it. Both are run as people run them, a process for each
//! measurement, in turns; a figure is the median of the rounds.
//!
//! ```text
//! benches/run 1000000                          with a PostgreSQL and a MariaDB of its own
//! cargo bench --bench import -- 100000         SQLite only
//! cargo bench --bench import -- 100000 --postgres postgres://localhost/bench
//! cargo bench --bench import -- --write people.csv 100000
//! ```
//!
//! `--rounds N` (5), `--only WORD` for the cases with that word in their name, `--alone` without the script, `--sling PROGRAM`
//! with Sling beside it, on PostgreSQL (`pip download sling-linux-amd64` has it).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cases;
mod measure;
mod peers;
mod people;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{fs::File, io::BufWriter, path::PathBuf};

use peers::Database;
use people::People;

fn main() {
    let mut sizes = Vec::new();
    let mut databases = Vec::new();
    let mut plan = cases::Plan { rounds: 5, only: String::new(), alone: false, sling: None };
    let mut write = None;
    let mut arguments = std::env::args().skip(1);
    let next = |arguments: &mut dyn Iterator<Item = String>, what: &str| arguments.next().expect(what);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // from cargo
            "--postgres" => databases.push(Database::Postgres(next(&mut arguments, "--postgres URL"))),
            "--mariadb" => {
                let client = PathBuf::from(next(&mut arguments, "--mariadb CLIENT SOCKET"));
                let socket = PathBuf::from(next(&mut arguments, "--mariadb CLIENT SOCKET"));
                databases.push(Database::MariaDb { client, socket });
            }
            "--sqlite" => databases.push(Database::Sqlite),
            "--rounds" => plan.rounds = next(&mut arguments, "--rounds N").parse().expect("a number of rounds"),
            "--only" => plan.only = next(&mut arguments, "--only WORD"),
            "--alone" => plan.alone = true,
            "--sling" => plan.sling = Some(PathBuf::from(next(&mut arguments, "--sling PROGRAM"))),
            "--write" => write = Some(PathBuf::from(next(&mut arguments, "--write FILE"))),
            number => sizes.push(number.replace(['_', ','], "").parse::<u64>().expect("a number of users")),
        }
    }
    if sizes.is_empty() {
        sizes.push(1_000_000);
    }
    if let Some(path) = write {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        People::new(sizes[0]).write(&mut file).unwrap();
        return;
    }
    if databases.is_empty() {
        databases.push(Database::Sqlite);
    }
    println!(
        "{:<10} {:>10}  {:<32} {:>9} {:>9} {:>6} {:>6} {:>9}   steps of the last round",
        "database", "users", "case", "UserSync", "script", "ratio", "goal", "peak"
    );
    for rows in sizes {
        assert!((1_000..=10_000_000).contains(&rows), "1,000 to 10,000,000 users");
        for database in &databases {
            cases::measure(database, rows, &plan);
        }
    }
}

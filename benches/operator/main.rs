//! How an operator does with many syncs on a real API server: how long until all are reconciled, how much memory and processor
//! it takes at rest, how soon an annotation starts a run.
//!
//! ```text
//! cargo bench --bench operator                 1,000 syncs
//! cargo bench --bench operator -- 100          another number
//! cargo bench --bench operator -- 1000 FILE    another `usersync` than the one just built
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod process;
#[path = "../../tests/support/mod.rs"]
mod support;
mod world;

use std::time::{Duration, Instant};

use process::Usage;
use world::World;

/// So many annotations are set, one after the other.
const ANNOTATIONS: usize = 20;
/// For so long the operator is watched at rest.
const REST: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench"); // from cargo
    let number = arguments.next().map_or(1_000, |number| number.parse().expect("a number of syncs"));
    let program = arguments.next().unwrap_or_else(|| env!("CARGO_BIN_EXE_usersync").to_owned());
    let world = World::new(number, program.into()).await;

    let started = Instant::now();
    let operator = world.operator();
    world.until_ready().await;
    print("first start: all reconciled, each probed and its status written", seconds(started.elapsed()));
    drop(operator);
    world.give_up_lease().await;

    let started = Instant::now();
    let operator = world.operator();
    world.until_looked_at(&operator).await;
    print("start again: all reconciled", seconds(started.elapsed()));

    world.until_still(&operator).await;
    let before = Usage::of(operator.pid());
    tokio::time::sleep(REST).await;
    let after = Usage::of(operator.pid());
    let share = (after.processor - before.processor) / REST.as_secs_f64();
    print("at rest: resident memory", mebibytes(after.resident));
    print("at rest: highest resident memory since the start", mebibytes(after.highest));
    print("at rest: processor, of one core", format!("{:.2} %", share * 100.0));

    let mut made = Vec::new();
    let mut begun = Vec::new();
    for number in 0..ANNOTATIONS {
        let (creation, start) = world.annotate(number).await;
        made.push(creation);
        begun.push(start);
    }
    for (what, mut times) in [("annotation to UserSyncRun", made), ("annotation to the run at work", begun)] {
        times.sort();
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        print(what, format!("median {}, worst {}", milliseconds(median), milliseconds(worst)));
    }
    let after = Usage::of(operator.pid());
    print("after those runs: resident memory", mebibytes(after.resident));
}

fn print(what: &str, figure: String) {
    println!("{what:<68} {figure}");
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

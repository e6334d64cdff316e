//! `kill -9` of the process, of the database server and of the connection, at each step and at any time: afterwards the table is
//! the old one or the new one, the ledger says which, and the next try ends it all, once.

use std::{
    collections::BTreeMap,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use usersync::{api::Mode, engine::Ended, model::reason::Reason};

use crate::{
    another::{Another, Order},
    dice::{Dice, times},
    place::Place,
    steps::{At, Steps, stepped},
    support::bench::{Bench, Silent},
};

/// Users, about.
const USERS: usize = 1_500;

fn spec() -> Value {
    json!({
        "source": {
            "directory": {"path": "inbox"}, "files": "users_*.csv", "stableFor": "0s", "afterImport": {"moveTo": "bak"},
        },
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "city"}]},
        "action": "Mirror",
        "removal": {"policy": "Delete"},
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%"},
        "target": {},
    })
}

/// The users of the nth file: one in ten comes and goes with each, half of the others change.
fn users(nth: usize) -> BTreeMap<String, String> {
    let there = (0..USERS).filter(|user| !(user + nth).is_multiple_of(10));
    there
        .map(|user| (format!("U{user:05}"), if user % 2 == 0 { "Rome".to_owned() } else { format!("C{nth}") }))
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Process,
    Server,
    Connection,
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    Named(&'static str),
    Step(usize),
    Time(Duration),
}

struct Scene {
    folder: tempfile::TempDir,
    place: Place,
    bench: Arc<Bench>,
}

impl Scene {
    async fn new(place: Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Arc::new(place.bench(folder.path(), spec()).await);
        bench.execute("create table users (id varchar(20) not null primary key, city varchar(20))").await;
        Self { folder, place, bench }
    }

    fn put(&self, nth: usize) {
        let rows: Vec<_> = users(nth).into_iter().map(|(id, city)| [id, city]).collect();
        self.bench.write_csv(&format!("users_{nth}.csv"), &["id", "city"], &rows);
    }

    async fn table(&self) -> BTreeMap<String, String> {
        let rows = self.bench.rows("select id, city from users").await;
        rows.into_iter().map(|mut row| (row[0].take().unwrap(), row[1].take().unwrap())).collect()
    }

    /// The runs that the ledger has of the nth file, and their open steps.
    async fn committed(&self, nth: usize) -> Vec<(String, String)> {
        let steps = format!("cast(open_steps as {})", self.bench.text());
        let sql = format!("select run, {steps} from usersync_ledger where file_name = 'users_{nth}.csv'");
        let rows = self.bench.rows(&sql).await;
        rows.into_iter().map(|mut row| (row[0].take().unwrap(), row[1].take().unwrap())).collect()
    }

    fn order(&self, run: &str, moment: Moment) -> Order {
        let (folder, database) = (self.folder.path().to_owned(), self.place.words());
        let (stands, stands_at) = match moment {
            Moment::Step(step) => (Some(step), None),
            Moment::Named(step) => (None, Some(step.to_owned())),
            Moment::Time(_) => (None, None),
        };
        Order { folder, database, spec: spec(), run: run.to_owned(), stands, stands_at }
    }

    async fn run(&self, name: &str, steps: &Arc<Steps>) -> Ended {
        let ports = stepped(self.bench.ports(Mode::Import, Arc::new(Silent)).await, steps);
        self.bench.attempt_by(name, &ports).await.unwrap()
    }

    /// A run during which the victim dies.
    async fn struck(&self, run: &str, victim: Victim, moment: Moment) -> String {
        if let Victim::Process = victim {
            return tokio::task::block_in_place(|| self.other_struck(run, moment));
        }
        let place = self.place.clone();
        let strike = move || match victim {
            Victim::Server => place.kill(),
            _ => place.cut(),
        };
        let ended = match moment {
            Moment::Named(step) => self.run(run, &Steps::new(At::Name(step), move |_| strike())).await,
            Moment::Step(step) => self.run(run, &Steps::new(At::Number(step), move |_| strike())).await,
            Moment::Time(time) => {
                let striking = std::thread::spawn(move || {
                    std::thread::sleep(time);
                    strike();
                });
                let ended = self.run(run, &Steps::counted()).await;
                tokio::task::block_in_place(|| striking.join().unwrap());
                ended
            }
        };
        format!("{}: {}", ended.report.reason, ended.report.message)
    }

    fn other_struck(&self, run: &str, moment: Moment) -> String {
        let mut other = Another::start(&self.order(run, moment));
        let said = match moment {
            Moment::Named(_) | Moment::Step(_) => other.says(&["STANDS", "ENDED"]).unwrap(),
            Moment::Time(time) => {
                other.says(&["BEGINS"]).unwrap();
                std::thread::sleep(time);
                "somewhere".to_owned()
            }
        };
        other.kill();
        said
    }
}

async fn survives(place: Place, victims: &[Victim]) {
    let mut dice = Dice::new("killed");
    let scene = Scene::new(place).await;
    // How many steps a run has, and how long it takes.
    scene.put(0);
    let steps = Steps::counted();
    assert_eq!(scene.run("hr-first", &steps).await.report.reason, Reason::Completed);
    scene.put(1);
    let steps = Steps::counted();
    let begun = Instant::now();
    assert_eq!(scene.run("hr-second", &steps).await.report.reason, Reason::Completed);
    let whole = begun.elapsed();
    let (mut old, mut new) = (0, 0);
    // Where it may take long, each step comes in its turn, beginning with any.
    let mut walked = dice.number(steps.count());
    for nth in 2..times(20, 200) + 2 {
        let victim = victims[nth % victims.len()];
        let moment = match (nth, (nth / victims.len()).is_multiple_of(2)) {
            (2, _) => Moment::Named("before commit"),
            (3, _) => Moment::Named("after commit"),
            (_, true) => {
                walked += times(dice.number(steps.count()), 1);
                Moment::Step(1 + walked % steps.count())
            }
            (_, false) => Moment::Time(whole.mul_f64(dice.part() * 1.2)),
        };
        scene.put(nth);
        let run = format!("hr-{nth}");
        let said = scene.struck(&run, victim, moment).await;
        let at = format!("{victim:?} at {moment:?} of {whole:?} ({said})");
        println!("{nth}: {at}");
        if let Victim::Server = victim {
            tokio::task::block_in_place(|| scene.place.start_again());
        }
        scene.place.quiet().await;

        let (table, committed) = (scene.table().await, scene.committed(nth).await);
        match committed.len() {
            0 => assert!(table == users(nth - 1), "{nth}: not the old table: {at}"),
            1 => assert!(table == users(nth), "{nth}: not the new table: {at}"),
            more => panic!("{nth}: committed {more} times: {at}"),
        }
        *(if committed.is_empty() { &mut old } else { &mut new }) += 1;
        // The report of a run says what is, unless it says that it doesn't know.
        if said.starts_with("Completed") {
            assert_eq!(committed.len(), 1, "{nth}: {at}");
        }
        the_next_try_ends_it(&scene, nth, dice.number(2) == 0, &at).await;
    }
    println!("the old table {old} times, the new one {new} times");
    assert!(old > 0 && new > 0, "a kill before the commit leaves the old table, one after it the new one");
}

async fn the_next_try_ends_it(scene: &Scene, nth: usize, same_run: bool, at: &str) {
    let run = if same_run { format!("hr-{nth}") } else { format!("hr-{nth}-again") };
    let ended = scene.run(&run, &Steps::counted()).await.report;
    let expected = [Reason::Completed, Reason::AlreadyApplied, Reason::NoFile];
    assert!(expected.contains(&ended.reason), "{nth}: {at}: {ended:?}");
    assert!(scene.table().await == users(nth), "{nth}: {at}: {ended:?}");
    let committed = scene.committed(nth).await;
    let [(name, open)] = committed.as_slice() else { panic!("{nth}: {at}: {committed:?}") };
    assert!(["[]", "{}"].contains(&open.as_str()), "{nth}: {open} is open: {at}: {ended:?}");

    // The file is put away once, as it came; the report is there.
    let file = format!("users_{nth}.csv");
    let names = |folder: &str| {
        let entries = fs::read_dir(scene.bench.inbox(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["bak"], "{nth}: {at}");
    let kept: Vec<_> = names("bak").into_iter().filter(|name| name.contains(&format!("_{nth}."))).collect();
    assert_eq!(kept, [file.as_str()], "{nth}: {at}");
    let content = fs::read_to_string(scene.bench.inbox("bak").join(&file)).unwrap();
    assert_eq!(content.lines().count(), users(nth).len() + 1, "{nth}: {at}");
    let folder = scene.folder.path().join("reports/default/hr").join(name);
    let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["reason"], "Completed", "{nth}: {at}: {report}");
    let added = users(nth).keys().filter(|user| !users(nth - 1).contains_key(*user)).count();
    assert_eq!(report["counts"]["added"], added, "{nth}: {at}: {report}");
    for part in ["changes.csv.gz", "records.jsonl.gz"] {
        assert!(folder.join(part).exists(), "{nth}: {at}: no {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_survives() {
    survives(Place::sqlite(), &[Victim::Process]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_survives() {
    let place = tokio::task::block_in_place(Place::own_postgres);
    survives(place, &[Victim::Process, Victim::Server, Victim::Connection]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_survives() {
    let place = tokio::task::block_in_place(Place::own_mariadb);
    survives(place, &[Victim::Process, Victim::Server, Victim::Connection]).await;
}

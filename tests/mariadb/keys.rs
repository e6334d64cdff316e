//! Match keys are the same to a run just when they are the same to the server.

use std::collections::BTreeMap;

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;
use usersync::{
    api::Mode,
    model::{counts::Counts, reason::Reason, rows::Rows},
    ports::{StoreError, UserStore as _},
};

use super::{
    bench::*,
    support::bench::{Bench as Sync, Database},
};

/// What makes trouble in one collation or another: letters that contract, expand, weigh nothing, or as much as others.
const PIECES: &[&str] = &[
    "a", "A", "b", "B", "c", "h", "H", "l", "n", "j", "s", "S", "z", "d", "e", "E", "o", "y", "0", "7", "-", "_", ".",
    "@", " ", "  ", "'", "\\", "ch", "ll", "aa", "dz", "dzs", "ccs", "nj", "lj", "ss", "oe", "ä", "Ä", "å", "ö", "ü",
    "é", "É", "e\u{301}", "ß", "ẞ", "æ", "œ", "ø", "ñ", "ç", "ı", "İ", "ſ", "ĳ", "ǆ", "ﬁ", "đ", "ł", "ა", "я", "Я",
    "ё", "е", "σ", "ς", "Σ", "日", "本", "ｱ", "ア", "あ", "가", "ก", "เ", "😀", "😁", "\u{a0}", "\u{3000}", "\u{200b}",
    "\u{ad}", "\t", "\u{1}",
];

fn texts(runner: &mut TestRunner, count: usize) -> Vec<String> {
    let text = prop::collection::vec(prop::sample::select(PIECES), 0..5).prop_map(|pieces| pieces.concat());
    let mut texts: Vec<String> = (0..count).map(|_| text.new_tree(runner).unwrap().current()).collect();
    // Each with its other cases and with blanks at its end: those are the keys that people mistake.
    let like: Vec<String> = texts
        .iter()
        .take(count / 3)
        .flat_map(|text| [text.to_uppercase(), text.to_lowercase(), format!("{text} "), format!("{text}\u{a0}")])
        .collect();
    texts.extend(like);
    texts.sort();
    texts.dedup();
    texts
}

/// The collations to try, as (character set, collation): a few of each family, or all of them.
fn collations(url: &str) -> Vec<(String, String)> {
    let all = std::env::var_os("USERSYNC_LONG").is_some();
    let named = "full_collation_name like 'utf8mb4\\_%' or full_collation_name like 'latin1\\_%' or \
        full_collation_name like 'utf8mb3\\_general%' or full_collation_name in ('ascii_general_ci', 'cp1250_general_ci', \
        'koi8r_general_ci', 'sjis_japanese_ci', 'gb2312_chinese_ci', 'tis620_thai_ci', 'ucs2_general_ci', 'utf16_unicode_ci')";
    let found = sql(
        url,
        &format!(
            "select character_set_name, full_collation_name from information_schema.collation_character_set_applicability \
             where character_set_name <> 'binary' and ({}) order by 2",
            if all { "true" } else { named }
        ),
    );
    let mut collations: Vec<(String, String)> = found
        .lines()
        .map(|line| line.split_once('|').unwrap())
        .map(|(set, name)| (set.to_owned(), name.to_owned()))
        .collect();
    if !all {
        // Languages in one of three families each: their rules are the same.
        let plain = |name: &str| {
            ["general", "_bin", "unicode", "german", "swedish", "czech", "hungarian", "turkish", "thai", "uca1400_a"]
                .iter()
                .any(|part| name.contains(part))
        };
        collations.retain(|(_, name)| plain(name));
    }
    collations
}

#[tokio::test]
async fn keys_are_equal_just_when_the_server_says_so() {
    let url = Server::shared().create_database();
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let collations = collations(&url);
    assert!(collations.len() > 30, "{collations:?}");
    let mut equal = 0;
    let mut refused = Vec::new();
    // By collation: two texts, and whether we took them for equal.
    let mut wrong = BTreeMap::new();
    for (at, (set, name)) in collations.iter().enumerate() {
        let table = format!("users{at}");
        let create =
            format!("create table {table} (id varchar(40) character set {set} collate {name} primary key, n int)");
        sql(&url, &create);
        let store = Store::connect(&target(&url, &table)).await.unwrap();
        let texts = texts(&mut runner, 30);
        let mut keys = Rows::new(1);
        texts.iter().for_each(|text| keys.push(Some(text)));
        let bench = Bench { url: url.clone(), store, scope: scope(&[]) };
        let layout = bench.mapped(&["id", "n"]).await;
        let forms = match bench.store.key_forms(&layout, &keys).await {
            Ok(forms) => forms,
            Err(StoreError::Invalid(text)) => {
                assert!(text.contains("Give the column another one"), "{text}");
                refused.push(name.as_str());
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let said = |text: &String| format!("convert({} using {set})", literal(text));
        // Texts that the character set can't say are no keys: the server refuses them.
        let lossless = sql(
            &url,
            &format!(
                "set sql_mode = 'NO_BACKSLASH_ESCAPES'; select concat_ws('', {})",
                texts
                    .iter()
                    .map(|text| format!(
                        "cast(convert({} using utf8mb4) as binary) = cast({} as binary)",
                        said(text),
                        literal(text)
                    ))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        );
        let usable: Vec<usize> = (0..texts.len()).filter(|&at| lossless.as_bytes()[at] == b'1').collect();
        let pairs: Vec<(usize, usize)> =
            usable.iter().flat_map(|&a| usable.iter().map(move |&b| (a, b))).filter(|(a, b)| a < b).collect();
        for pairs in pairs.chunks(2_000) {
            let compare = pairs
                .iter()
                .map(|(a, b)| format!("{} collate {name} = {}", said(&texts[*a]), said(&texts[*b])))
                .collect::<Vec<_>>();
            let answer = sql(
                &url,
                &format!("set sql_mode = 'NO_BACKSLASH_ESCAPES'; select concat_ws('', {})", compare.join(", ")),
            );
            for ((a, b), server) in pairs.iter().zip(answer.bytes()) {
                let ours = forms.row(*a).get(0) == forms.row(*b).get(0);
                if ours != (server == b'1') {
                    wrong.entry(name.clone()).or_insert((texts[*a].clone(), texts[*b].clone(), ours));
                }
                equal += u32::from(ours);
            }
        }
    }
    let odd = |name: &&&str| !["_nopad_ai_cs", "big5", "cp1250_czech"].iter().any(|part| name.contains(part));
    assert_eq!(refused.iter().find(odd), None);
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), collations.len());
    assert!(equal > 500, "only {equal} pairs were equal: the test tells nothing");
}

fn spec(action: &str) -> serde_json::Value {
    json!({
        "source": {"directory": {"path": "inbox"}, "files": "users.csv", "stableFor": "0s", "afterImport": {"keep": {}}},
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "name"}]},
        "action": action,
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%", "maxRejected": "100%"},
        "target": {},
    })
}

async fn table(sync: &Sync) -> BTreeMap<String, String> {
    let rows = sync.rows("select id, name from users order by id").await;
    rows.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap_or_default())).collect()
}

/// A sync on a table whose keys compare without case, accents and blanks at the end.
async fn sync(spec: serde_json::Value, users: &[(&str, &str)]) -> Sync {
    let url = tokio::task::block_in_place(|| Server::shared().create_database());
    let sync = Sync::new(Database::Mariadb(url), spec).await;
    sync.execute("create table users (id varchar(20) collate utf8mb4_unicode_ci primary key, name varchar(20))").await;
    for (id, name) in users {
        sync.execute(&format!("insert into users values ('{id}', '{name}')")).await;
    }
    sync
}

fn upload(sync: &Sync, rows: &[[&str; 2]]) {
    let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
    sync.write_csv("users.csv", &["id", "name"], &rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_written_otherwise_is_the_same_user() {
    let sync = sync(spec("Mirror"), &[("ada", "1"), ("José", "1"), ("gone", "1"), ("kept", "1")]).await;
    upload(&sync, &[["ADA", "2"], ["jose", "2"], ["new", "2"], ["Kept", "1"], ["NEW", "3"], ["ádá", "4"], ["", "5"]]);
    let held = sync.run(Mode::Import).await;
    assert_eq!(held.report.reason, Reason::Held, "{:?}", held.report);
    upload(&sync, &[["ADA", "2"], ["jose", "2"], ["new", "2"], ["Kept", "1"], ["NEW", "3"], ["ádá", "4"]]);
    let planned = sync.run(Mode::Simulation).await;
    let done = sync.run(Mode::Import).await;
    assert_eq!(done.report.reason, Reason::CompletedWithRejects, "{:?}", done.report);
    let expected = Counts { read: 6, rejected: 2, added: 1, updated: 2, unchanged: 1, removed: 1, ..Counts::default() };
    assert_eq!(done.report.counts, expected);
    assert_eq!(planned.report.counts, expected);
    let users = table(&sync).await;
    let users: Vec<(&str, &str)> = users.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
    assert_eq!(users, [("José", "2"), ("ada", "2"), ("kept", "1"), ("new", "2")]);
    let rejects = std::fs::read_to_string(done.report.reports.rejects.unwrap()).unwrap();
    assert!(rejects.contains("NEW") && rejects.contains("ádá") && rejects.contains("DuplicateKey"), "{rejects}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_deactivated_under_another_spelling_comes_back() {
    let mut spec = spec("Mirror");
    spec["removal"] = json!({"policy": "Deactivate", "set": {"active": "false"}, "restore": {"active": "true"}});
    let sync = sync(spec, &[]).await;
    sync.execute("alter table users add column active boolean not null default true").await;
    sync.execute("insert into users (id, name) values ('Zoë', '1'), ('Bob', '1')").await;
    upload(&sync, &[["bob", "1"]]);
    assert_eq!(sync.run(Mode::Import).await.report.counts.removed, 1);
    upload(&sync, &[["BOB", "1"], ["ZOE", "1"]]);
    let back = sync.run(Mode::Import).await.report;
    assert_eq!(back.counts, Counts { read: 2, updated: 1, unchanged: 1, ..Counts::default() }, "{back:?}");
    assert_eq!(sync.rows("select cast(sum(active) as char) from users").await, [[Some("2".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_list_finds_users_under_another_spelling() {
    let mut spec = spec("Delete");
    spec["source"]["files"] = json!("users.csv");
    let sync = sync(spec, &[("Ada", "1"), ("Bob", "1")]).await;
    upload(&sync, &[["ADA", ""], ["áda", ""], ["nobody", ""]]);
    let done = sync.run(Mode::Import).await.report;
    assert_eq!(done.counts, Counts { read: 3, rejected: 1, removed: 1, unchanged: 1, ..Counts::default() }, "{done:?}");
    assert_eq!(table(&sync).await.into_keys().collect::<Vec<_>>(), ["Bob"]);
}

//! Choices in small folders.

use std::time::Duration;

use super::*;
use crate::model::{
    counts::Counts,
    job::{After, Unpack},
};

fn take(select: Select) -> Take {
    Take {
        files: "userdata_*.csv".to_owned(),
        select,
        max_size: 100,
        stable_for: Duration::ZERO,
        wait_for: None,
        unpack: Unpack { max_size: 100, max_ratio: 100 },
        after_import: After::Keep,
        after_failure: After::Keep,
    }
}

fn listed(name: &str, mtime: i64, size: u64) -> Listed {
    let mtime = Timestamp::from_second(mtime).unwrap();
    Listed { name: name.to_owned(), kind: ListedKind::File, size, mtime }
}

fn imported(listed: &Listed) -> LedgerRow {
    LedgerRow {
        run: String::new(),
        file: Stamp::from(listed),
        sha256: String::new(),
        spec: String::new(),
        result: String::new(),
        counts: Counts::default(),
        report: String::new(),
        open: Vec::new(),
        committed: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn chooses_by_time_then_name_among_files_not_imported() {
    let (a, b, c) = (listed("userdata_a.csv", 5, 1), listed("userdata_b.csv", 3, 1), listed("userdata_c.csv", 3, 1));
    let all = [a.clone(), b.clone(), c.clone(), listed("other.csv", 1, 1)];
    let choice = |select, known: &[&Listed]| {
        let known: Vec<_> = known.iter().map(|listed| imported(listed)).collect();
        choose(&all, &take(select), &known, None)
    };
    assert_eq!(choice(Select::Oldest, &[]), Choice::Take(Stamp::from(&b)));
    assert_eq!(choice(Select::All, &[&b]), Choice::Take(Stamp::from(&c)));
    assert_eq!(choice(Select::Newest, &[]), Choice::Take(Stamp::from(&a)));
    assert_eq!(choice(Select::Newest, &[&a]), Choice::Again(Stamp::from(&a)));
    assert_eq!(choice(Select::Oldest, &[&c, &a, &b]), Choice::Again(Stamp::from(&c)));
    assert_eq!(choose(&all, &take(Select::All), &[], Some(&Stamp::from(&c))), Choice::Take(Stamp::from(&a)));
    assert_eq!(choose(&all, &take(Select::All), &[], Some(&Stamp::from(&a))), Choice::Nothing);
}

#[test]
fn the_schedule_passes_over_what_was_imported_or_tried_with_this_spec() {
    let [a, b, c] = [1, 2, 3].map(|at| listed(&format!("userdata_{at}.csv"), at, 1));
    let large = listed("userdata_0.csv", 0, 101);
    let all = [c.clone(), a.clone(), b.clone()];
    let with_large = [all.to_vec(), vec![large.clone()]].concat();
    let row = |listed: &Listed, spec: &str| LedgerRow { spec: spec.to_owned(), ..imported(listed) };
    let tried = |listed: &Listed, held| Tried { file: Stamp::from(listed), held };
    let [taken, waits, too_large] = [Choice::Take as fn(Stamp) -> Choice, Choice::Waits, Choice::TooLarge]
        .map(|choice| move |listed: &Listed| choice(Stamp::from(listed)));
    use Select::{All, Newest, Oldest};
    type Case<'a> = (&'a str, Select, &'a [Listed], Vec<LedgerRow>, Vec<Tried>, Choice);
    let cases: Vec<Case<'_>> = vec![
        ("nothing is known", Oldest, &all, vec![], vec![], taken(&a)),
        ("imported", Oldest, &all, vec![row(&a, "now")], vec![], taken(&b)),
        ("imported with another spec", Oldest, &all, vec![row(&a, "before")], vec![], taken(&a)),
        ("all imported", All, &all, [&a, &b, &c].map(|f| row(f, "now")).to_vec(), vec![], Choice::Nothing),
        ("failed", Oldest, &all, vec![], vec![tried(&a, false)], taken(&b)),
        ("failed, and written anew", Oldest, &all, vec![], vec![tried(&listed(&a.name, 0, 1), false)], taken(&a)),
        ("held", Oldest, &all, vec![], vec![tried(&a, true)], waits(&a)),
        ("held, later one first", All, &all, vec![], vec![tried(&b, true)], taken(&a)),
        ("held behind an imported one", All, &all, vec![row(&a, "now")], vec![tried(&b, true)], waits(&b)),
        ("failed, then held", Oldest, &all, vec![], vec![tried(&a, true), tried(&a, false)], waits(&a)),
        ("held, then approved", Oldest, &all, vec![row(&a, "now")], vec![tried(&a, true)], taken(&b)),
        ("held and gone", Oldest, &all, vec![], vec![tried(&large, true)], taken(&a)),
        ("newest", Newest, &all, vec![], vec![tried(&a, true)], taken(&c)),
        ("newest imported", Newest, &all, vec![row(&c, "now")], vec![], Choice::Nothing),
        (
            "newest failed: an older one would bring back what was",
            Newest,
            &all,
            vec![],
            vec![tried(&c, false)],
            Choice::Nothing,
        ),
        ("newest held", Newest, &all, vec![], vec![tried(&c, true)], waits(&c)),
        ("too large, with others", Oldest, &with_large, vec![], vec![], taken(&a)),
        ("too large alone", Oldest, &with_large[3..], vec![], vec![], too_large(&large)),
        ("too large, known", Oldest, &with_large[3..], vec![], vec![tried(&large, false)], Choice::Nothing),
        ("nothing there", Oldest, &[], vec![], vec![], Choice::Nothing),
    ];
    for (what, select, listing, imported, tried, expected) in cases {
        assert_eq!(choose_due(listing, &take(select), &imported, "now", &tried), expected, "{what}");
    }
}

#[test]
fn an_approval_takes_the_file_that_was_held() {
    let [a, b] = [1, 2].map(|at| listed(&format!("userdata_{at}.csv"), at, 1));
    let all = [a.clone(), b.clone()];
    let held = Stamp::from(&b);
    assert_eq!(choose_approved(&all, &take(Select::Oldest), &held), Some(Choice::Take(held.clone())));
    assert_eq!(choose_approved(&all[..1], &take(Select::Oldest), &held), None, "it is gone");
    let renamed = Take { files: "other".to_owned(), ..take(Select::Oldest) };
    assert_eq!(choose_approved(&all, &renamed, &held), None, "it is no candidate any more");
}

#[test]
fn a_file_that_is_too_large_fails_the_run_only_if_there_is_no_other() {
    let (large, small) = (listed("userdata_1.csv", 1, 101), listed("userdata_2.csv", 2, 100));
    assert_eq!(
        choose(&[large.clone(), small.clone()], &take(Select::Oldest), &[], None),
        Choice::Take(Stamp::from(&small))
    );
    assert_eq!(
        choose(std::slice::from_ref(&large), &take(Select::Oldest), &[], None),
        Choice::TooLarge(Stamp::from(&large))
    );
}

#[test]
fn names_and_markers_say_what_is_no_candidate() {
    let take = Take { files: "*".to_owned(), wait_for: Some("{name}.done".to_owned()), ..take(Select::Oldest) };
    let file = listed("u.csv", 5, 1);
    let why = |listed: &Listed, others: &[Listed]| {
        let listing = [others, std::slice::from_ref(listed)].concat();
        Candidates::new(&listing, &take).passed(listed)
    };
    let no_marker = |older| Passed::NoMarker { marker: "u.csv.done".to_owned(), older };
    assert_eq!(why(&file, &[]), Some(no_marker(false)));
    assert_eq!(why(&file, &[listed("u.csv.done", 4, 0)]), Some(no_marker(true)));
    assert_eq!(why(&file, &[listed("u.csv.done", 5, 0)]), None);
    assert_eq!(why(&listed("u.csv.PART", 1, 1), &[]), Some(Passed::PartialUpload));
    assert_eq!(why(&Listed { kind: ListedKind::Folder, ..file }, &[]), Some(Passed::Folder));
}

/// What `judge` says of each name, as code and name.
fn judged(
    listing: &[Listed],
    take: &Take,
    imported: &[LedgerRow],
    due: Option<&[Tried]>,
) -> Vec<(String, &'static str)> {
    let choice = match due {
        Some(tried) => choose_due(listing, take, imported, "now", tried),
        None => choose(listing, take, imported, None),
    };
    let due = due.map(|tried| ("now", tried));
    let view = View { listing, outdated: (&[], ""), take, imported, due, after: None, again: None };
    judge(&view, &choice).into_iter().map(|one| (one.listed.name, one.verdict.code())).collect()
}

#[test]
fn each_name_has_its_reason() {
    let [a, b, c] = [1, 2, 3].map(|at| listed(&format!("userdata_{at}.csv"), at, 1));
    let large = listed("userdata_0.csv", 0, 101);
    let folder = Listed { kind: ListedKind::Folder, ..listed("userdata_9.csv", 9, 0) };
    let link = Listed { kind: ListedKind::Other, ..listed("last.csv", 9, 0) };
    let all = [
        folder,
        c.clone(),
        link,
        listed("readme", 1, 1),
        a.clone(),
        listed("userdata_4.csv.part", 4, 1),
        large,
        b.clone(),
    ];
    let row = |listed: &Listed| LedgerRow { spec: "now".to_owned(), ..imported(listed) };
    let tried = |listed: &Listed, held| Tried { file: Stamp::from(listed), held };
    let rest = [
        ("readme", "OtherName"),
        ("userdata_4.csv.part", "PartialUpload"),
        ("last.csv", "NoFile"),
        ("userdata_9.csv", "Folder"),
    ];
    use Select::{Newest, Oldest};
    type Case<'a> = (&'a str, Select, Vec<LedgerRow>, Option<Vec<Tried>>, [&'a str; 4]);
    let cases: Vec<Case<'_>> = vec![
        ("nothing is known", Oldest, vec![], None, ["TooLarge", "Taken", "Later", "Later"]),
        ("imported", Oldest, vec![row(&a)], None, ["TooLarge", "Imported", "Taken", "Later"]),
        (
            "all of them",
            Oldest,
            vec![row(&c), row(&b), row(&a)],
            None,
            ["TooLarge", "Imported", "Imported", "Imported"],
        ),
        ("failed", Oldest, vec![], Some(vec![tried(&a, false)]), ["TooLarge", "Failed", "Taken", "Later"]),
        ("held", Oldest, vec![row(&a)], Some(vec![tried(&b, true)]), ["TooLarge", "Imported", "Held", "Waits"]),
        ("another spec", Oldest, vec![imported(&a)], Some(vec![]), ["TooLarge", "Taken", "Later", "Later"]),
        ("newest", Newest, vec![], Some(vec![]), ["TooLarge", "Older", "Older", "Taken"]),
        ("newest, once more", Newest, vec![row(&c), row(&a)], None, ["TooLarge", "Imported", "Older", "ComparedAgain"]),
        ("newest held", Newest, vec![], Some(vec![tried(&c, true)]), ["TooLarge", "Older", "Older", "Held"]),
        ("newest failed", Newest, vec![], Some(vec![tried(&c, false)]), ["TooLarge", "Older", "Older", "Failed"]),
    ];
    for (what, select, imported, tried, expected) in cases {
        let names = ["userdata_0.csv", "userdata_1.csv", "userdata_2.csv", "userdata_3.csv"];
        let expected: Vec<_> =
            names.into_iter().zip(expected).chain(rest).map(|(name, code)| (name.to_owned(), code)).collect();
        assert_eq!(judged(&all, &take(select), &imported, tried.as_deref()), expected, "{what}");
    }
}

#[test]
fn reasons_are_said_in_plain_words() {
    let take = Take { wait_for: Some("{name}.done".to_owned()), ..take(Select::Oldest) };
    let [a, b] = [1, 2].map(|at| listed(&format!("userdata_{at}.csv"), at, 1));
    let listing = [a.clone(), listed("userdata_1.csv.done", 1, 0), b, listed("userdata_2.csv.done", 1, 0)];
    let choice = choose(&listing, &take, &[], None);
    let again = Some(Duration::from_secs(10));
    let view =
        View { listing: &listing, outdated: (&[], ""), take: &take, imported: &[], due: None, after: None, again };
    let said: Vec<_> = judge(&view, &choice)
        .into_iter()
        .map(|one| format!("{}: {}", one.listed.name, one.verdict.words(&take)))
        .collect();
    assert_eq!(
        said,
        [
            "userdata_1.csv: taken next (will be looked at twice, 10s apart)",
            "userdata_1.csv.done: the marker of userdata_1.csv",
            "userdata_2.csv: its marker userdata_2.csv.done is older than it",
            "userdata_2.csv.done: the marker of userdata_2.csv",
        ]
    );
    let row = LedgerRow { run: "hr-1".to_owned(), ..imported(&a) };
    let passed = [
        (Passed::Imported { run: row.run, at: row.committed }, "imported 1970-01-01T00:00:00Z by run hr-1"),
        (Passed::TooLarge, "larger than `maxSize` (100 bytes)"),
        (Passed::Outdated("z.csv".to_owned()), "older than z.csv, which was imported last (`select: Newest`)"),
        (Passed::Waits("a.csv".to_owned()), "waits behind a.csv, which is held"),
    ];
    for (passed, words) in passed {
        assert_eq!(Verdict::Passed(passed).words(&take), words);
    }
}

proptest::proptest! {
    /// What is said of the names never contradicts the choice: the file chosen is taken, and no other.
    #[test]
    fn the_reasons_agree_with_the_choice(
        times in proptest::collection::vec((0_i64..4, 99_u64..102, 0_u8..6), 0..8),
        newest: bool,
        due: bool,
    ) {
        let files: Vec<Listed> =
            times.iter().enumerate().map(|(at, (mtime, size, _))| listed(&format!("userdata_{at}.csv"), *mtime, *size)).collect();
        let of = |wanted: u8| files.iter().zip(&times).filter(move |(_, (.., state))| *state == wanted).map(|(file, _)| file);
        let imported: Vec<LedgerRow> = of(1).map(|file| LedgerRow { spec: "now".to_owned(), ..imported(file) }).collect();
        let tried: Vec<Tried> = (2..4).flat_map(|held| of(held).map(move |file| Tried { file: Stamp::from(file), held: held == 3 })).collect();
        let take = take(if newest { Select::Newest } else { Select::Oldest });
        let choice = match due {
            true => choose_due(&files, &take, &imported, "now", &tried),
            false => choose(&files, &take, &imported, None),
        };
        let said = judged(&files, &take, &imported, due.then_some(&tried));
        let taken: Vec<&str> = said.iter().filter(|(_, code)| matches!(*code, "Taken" | "ComparedAgain")).map(|(name, _)| name.as_str()).collect();
        let chosen: Vec<&str> = match &choice {
            Choice::Take(stamp) | Choice::Again(stamp) => vec![&stamp.name],
            Choice::TooLarge(_) | Choice::Waits(_) | Choice::Nothing => vec![],
        };
        proptest::prop_assert_eq!(taken, chosen);
        proptest::prop_assert_eq!(said.len(), files.len());
    }
}

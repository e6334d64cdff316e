//! Which file a run takes, and why not the others.

use std::collections::{HashMap, HashSet};

use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;

use crate::{
    api::Select,
    model::{
        file::{Listed, ListedKind, Stamp},
        job::Take,
        ledger::LedgerRow,
        sync::Tried,
    },
};

/// What a look into the folder comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This file is new.
    Take(Stamp),
    /// Nothing is new: the last imported file that is still there is compared again.
    Again(Stamp),
    /// The only new files are larger than `maxSize`; this is the first of them.
    TooLarge(Stamp),
    /// This file is held, and with its kind of order nothing is taken before a person has decided on it.
    Waits(Stamp),
    /// There is nothing to take.
    Nothing,
}

/// Why a file is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It is no regular file.
    NotAFile,
    /// Its name doesn't match `source.files`.
    OtherName,
    /// It is named like an upload that is not finished.
    PartialUpload,
    /// Its marker file (`source.waitFor`) is not there, or is older.
    NoMarker,
    /// It is larger than `source.maxSize`.
    TooLarge,
    /// It was imported.
    Imported,
}

/// Names that upload programs give to files that are not complete.
const PARTIAL: [&str; 3] = [".part", ".tmp", ".filepart"];

/// Chooses for an explicit run: of the files not imported yet, or else the last one again. `imported` are committed
/// runs, newest first. With `after`, only files that come later in the order of `select: All` are looked at.
pub fn choose(listing: &[Listed], take: &Take, imported: &[LedgerRow], after: Option<&Stamp>) -> Choice {
    let matching = matching(listing, take, after);
    let files: HashSet<&Stamp> = imported.iter().map(|row| &row.file).collect();
    let known = |listed: &Listed| files.contains(&Stamp::from(listed));
    let new: Vec<_> = matching.iter().filter(|listed| !known(listed)).collect();
    if let Some(listed) = new.iter().find(|listed| listed.size <= take.max_size) {
        return Choice::Take(Stamp::from(**listed));
    }
    if let Some(listed) = new.first() {
        return Choice::TooLarge(Stamp::from(**listed));
    }
    let listed: HashSet<Stamp> = matching.iter().map(|listed| Stamp::from(*listed)).collect();
    let there = |row: &&LedgerRow| listed.contains(&row.file);
    match imported.iter().find(there) {
        Some(row) if after.is_none() => Choice::Again(row.file.clone()),
        _ => Choice::Nothing,
    }
}

/// Chooses for a run that the schedule started: the next file that was neither imported with this spec (its digest) nor
/// `tried` with it. Behind a held file nothing is taken: what comes later would be overtaken by it once it is approved.
pub fn choose_due(listing: &[Listed], take: &Take, imported: &[LedgerRow], spec: &str, tried: &[Tried]) -> Choice {
    let done: HashSet<&Stamp> = imported.iter().filter(|row| row.spec == spec).map(|row| &row.file).collect();
    let mut seen: HashMap<&Stamp, bool> = HashMap::new();
    for tried in tried {
        *seen.entry(&tried.file).or_default() |= tried.held;
    }
    let mut too_large = None;
    for listed in matching(listing, take, None) {
        let stamp = Stamp::from(listed);
        match seen.get(&stamp) {
            _ if done.contains(&stamp) => {}
            Some(true) => return Choice::Waits(stamp),
            Some(false) => {}
            None if listed.size <= take.max_size => return Choice::Take(stamp),
            None => too_large = too_large.or(Some(stamp)),
        }
    }
    too_large.map_or(Choice::Nothing, Choice::TooLarge)
}

/// Chooses for a run that a person approved: the file that was held, if it is still there.
pub fn choose_approved(listing: &[Listed], take: &Take, held: &Stamp) -> Option<Choice> {
    let candidates = Candidates::new(listing, take);
    let listed = listing.iter().find(|listed| Stamp::from(*listed) == *held)?;
    candidates.passed(listed).is_none().then(|| Choice::Take(held.clone()))
}

/// The candidates in the order in which they are taken.
fn matching<'a>(listing: &'a [Listed], take: &Take, after: Option<&Stamp>) -> Vec<&'a Listed> {
    let candidates = Candidates::new(listing, take);
    let mut matching: Vec<_> = listing.iter().filter(|listed| candidates.passed(listed).is_none()).collect();
    matching.sort_by_key(|listed| (listed.mtime, &listed.name));
    if let Some(after) = after {
        matching.retain(|listed| (listed.mtime, &listed.name) > (after.mtime, &after.name));
    }
    if take.select == Select::Newest {
        // An older file behind a newer one would bring back what was.
        matching.drain(..matching.len().saturating_sub(1));
    }
    matching
}

/// Judges the names of one listing, whatever the ledger says. Size is judged by [`choose`].
pub struct Candidates<'a> {
    take: &'a Take,
    /// None where the glob is none. (Validation has compiled it before.)
    glob: Option<GlobMatcher>,
    /// When each file was written: a marker must not be older than its file.
    times: HashMap<&'a str, Timestamp>,
}

impl<'a> Candidates<'a> {
    /// Of this listing.
    pub fn new(listing: &'a [Listed], take: &'a Take) -> Self {
        let glob = GlobBuilder::new(&take.files).literal_separator(true).build().ok();
        let files = listing.iter().filter(|listed| take.wait_for.is_some() && listed.kind == ListedKind::File);
        let times = files.map(|listed| (listed.name.as_str(), listed.mtime)).collect();
        Self { take, glob: glob.map(|glob| glob.compile_matcher()), times }
    }

    /// Why a name is no candidate.
    pub fn passed(&self, listed: &Listed) -> Option<Passed> {
        if listed.kind != ListedKind::File {
            return Some(Passed::NotAFile);
        }
        if PARTIAL.iter().any(|end| listed.name.to_ascii_lowercase().ends_with(end)) {
            return Some(Passed::PartialUpload);
        }
        if !self.glob.as_ref().is_some_and(|glob| glob.is_match(&listed.name)) {
            return Some(Passed::OtherName);
        }
        let marker = self.take.wait_for.as_ref().map(|pattern| pattern.replace("{name}", &listed.name))?;
        let marked = self.times.get(marker.as_str()).is_some_and(|time| *time >= listed.mtime);
        (!marked).then_some(Passed::NoMarker)
    }
}

#[cfg(test)]
mod tests {
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
        let (a, b, c) =
            (listed("userdata_a.csv", 5, 1), listed("userdata_b.csv", 3, 1), listed("userdata_c.csv", 3, 1));
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
        assert_eq!(why(&file, &[]), Some(Passed::NoMarker));
        assert_eq!(why(&file, &[listed("u.csv.done", 4, 0)]), Some(Passed::NoMarker));
        assert_eq!(why(&file, &[listed("u.csv.done", 5, 0)]), None);
        assert_eq!(why(&listed("u.csv.PART", 1, 1), &[]), Some(Passed::PartialUpload));
        assert_eq!(why(&Listed { kind: ListedKind::Folder, ..file }, &[]), Some(Passed::NotAFile));
    }
}

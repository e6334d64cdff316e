//! The sync under test: its specs, its moments, its two files, as the real objects.

use jiff::{SignedDuration, Timestamp};
use usersync::{
    api::{Select, UserSync},
    control::schedule::next,
    model::{
        file::{Listed, ListedKind, Stamp},
        job::{After, Take, Unpack},
    },
};

use super::state::File;

/// What an edit makes of the spec: as it was, another mapping, one that can't be obeyed, another schedule.
pub const VARIANTS: u8 = 4;
/// The one of them that can't be obeyed.
pub const INVALID: u8 = 2;

/// The file's SHA-256, which a person approves.
pub fn sha256(file: u8) -> String {
    format!("ab{file}")
}

/// When the sync was made.
pub fn created() -> Timestamp {
    "2026-11-22T00:30:00Z".parse().unwrap()
}

/// The sync with that spec, without status.
pub fn sync(schedule: [&str; 2], variant: u8) -> UserSync {
    let mapping = if variant == 1 { "properties: [{property: email}]" } else { "" };
    let size = if variant == INVALID { "maxSize: '0'" } else { "" };
    let schedule = schedule[usize::from(variant == 3)];
    let text = format!(
        "apiVersion: usersync.dev/v1alpha1\nkind: UserSync\nmetadata:\n  {{name: hr, namespace: people, uid: u-1, \
         creationTimestamp: '{}'}}\nspec:\n  mapping:\n    userId: {{column: id}}\n    {mapping}\n  source:\n    directory: \
         {{path: in}}\n    files: '*.csv'\n    afterImport: {{keep: {{}}}}\n    {size}\n  schedule: {schedule}\n  history: \
         {{successful: 1, failed: 1}}\n",
        created()
    );
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The moments at which something may happen: before the first slot, right after it, right after the second one.
pub fn moments(sync: &UserSync) -> [Timestamp; 3] {
    let slot = |after| next(sync.spec.schedule.as_ref().unwrap(), "people/hr", after).unwrap();
    let first = slot(created());
    let second = slot(first);
    let after = |slot: Timestamp| slot.checked_add(SignedDuration::from_secs(1)).unwrap();
    [created(), after(first), after(second)]
}

/// How the source takes files.
pub fn take() -> Take {
    Take {
        files: "*.csv".into(),
        select: Select::Oldest,
        max_size: 1_000,
        stable_for: std::time::Duration::from_secs(2),
        wait_for: None,
        unpack: Unpack { max_size: 1 << 20, max_ratio: 100 },
        after_import: After::Keep,
        after_failure: After::Keep,
    }
}

/// The file of that number.
pub fn stamp(file: u8) -> Stamp {
    let mtime = created().checked_sub(SignedDuration::from_mins(10 - i64::from(file))).unwrap();
    Stamp { name: format!("{file}.csv"), size: 9, mtime }
}

/// What the folder shows.
pub fn listing(files: &[Option<File>]) -> Vec<Listed> {
    let there = (0u8..).zip(files).filter(|(_, file)| file.is_some());
    let listed = there.map(|(file, _)| {
        let Stamp { name, size, mtime } = stamp(file);
        Listed { name, kind: ListedKind::File, size, mtime }
    });
    listed.collect()
}

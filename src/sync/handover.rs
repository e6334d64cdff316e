//! Unique values that users take over from each other: who must be written beside whom, and who first.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::{change::Change, plan::Layout};

/// How many handovers are remembered. Of more none is: those who exchange values may become rejects then.
const MOST: usize = 1 << 18;

/// Changes of values that no two users may have the same, as far as they could be handed over from one to another.
#[derive(Debug, Default)]
pub struct Handovers {
    /// One for each such value.
    found: Vec<Handover>,
    /// Whether there were too many.
    many: bool,
}

/// A user gives a value up and takes another one. Of both there are digests only: two that are the same by chance put users
/// beside each other who need not be, and that is all.
#[derive(Debug)]
struct Handover {
    place: u64,
    gives: Option<u64>,
    takes: Option<u64>,
}

impl Handovers {
    /// Looks at a change that is set aside in that place; each place is behind the one before.
    pub fn note(&mut self, place: u64, change: &Change, layout: &Layout) {
        for (column, old, new) in change.properties().filter(|(column, ..)| layout.columns[*column].unique) {
            if self.found.len() == MOST {
                (self.found, self.many) = (Vec::new(), true);
            }
            if !self.many {
                let digest = |value: &str| xxh3_64_with_seed(value.as_bytes(), column as u64);
                self.found.push(Handover { place, gives: old.map(digest), takes: new.map(digest) });
            }
        }
    }

    /// The changes that are to be written beside each other (their places), in groups: whoever gives a value up comes before
    /// whoever takes it, and those who exchange values in a circle are in one group. Nobody who neither gives nor takes.
    pub fn groups(&self) -> Vec<Vec<u64>> {
        let givers: HashMap<u64, u64> =
            self.found.iter().filter_map(|handover| Some((handover.gives?, handover.place))).collect();
        let mut from: HashMap<u64, Vec<u64>> = HashMap::new();
        for Handover { place, takes, .. } in &self.found {
            let giver = takes.and_then(|value| givers.get(&value)).filter(|giver| *giver != place);
            if let Some(giver) = giver {
                from.entry(*place).or_default().push(*giver);
            }
        }
        let mut takers: Vec<u64> = from.keys().copied().collect();
        takers.sort_unstable();
        let mut seen = HashSet::new();
        let group = |taker| group(taker, &from, &mut seen);
        takers.into_iter().map(group).filter(|group| !group.is_empty()).collect()
    }
}

/// All of whom this one takes values, directly or not, and who are in no group yet; each behind those of whom it takes.
fn group(taker: u64, from: &HashMap<u64, Vec<u64>>, seen: &mut HashSet<u64>) -> Vec<u64> {
    let givers = |place: u64| from.get(&place).map_or(&[][..], Vec::as_slice).iter();
    let mut group = Vec::new();
    let mut path = Vec::new();
    if seen.insert(taker) {
        path.push((taker, givers(taker)));
    }
    while let Some((place, left)) = path.last_mut() {
        match left.next() {
            Some(giver) if seen.insert(*giver) => path.push((*giver, givers(*giver))),
            Some(_) => {}
            None => {
                group.push(*place);
                path.pop();
            }
        }
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::change::ChangeKind, sync::layout::tests::layout};

    /// Users with two unique values: what they have and what they get.
    fn groups(changes: &[(&str, &str)]) -> Vec<Vec<u64>> {
        let mut layout = layout(&["id", "email", "badge", "city"]);
        layout.columns[1].unique = true;
        layout.columns[2].unique = true;
        let mut handovers = Handovers::default();
        for (place, (old, new)) in (0..).zip(changes) {
            let cells = |text: &str| text.split(' ').map(|cell| (cell != "-").then(|| cell.to_owned())).collect();
            let (old, new) = (cells(&format!("{place} {old}")), cells(&format!("{place} {new}")));
            let change = Change { kind: ChangeKind::Update, line: None, offset: None, old, new };
            handovers.note(place, &change, &layout);
        }
        handovers.groups()
    }

    #[test]
    fn who_gives_comes_before_who_takes_and_circles_stay_together() {
        for (changes, expected) in [
            // Nobody takes anything: the value of another column, of one who keeps it, of nobody; an empty one.
            (&[("a 1 x", "b 1 x"), ("c 2 x", "d 2 x"), ("e - x", "1 - x"), ("- - x", "- 9 y")][..], &[][..]),
            (&[("a - x", "- - x"), ("- - x", "b - x")], &[]),
            // A city is no unique value.
            (&[("a - x", "b - y"), ("c - y", "d - x")], &[]),
            // A chain, from whichever end; a circle; one who stands behind a circle.
            (&[("a - x", "b - x"), ("b - x", "c - x"), ("c - x", "z - x")], &[&[2, 1, 0][..]]),
            (&[("c - x", "z - x"), ("b - x", "c - x"), ("a - x", "b - x")], &[&[0, 1], &[2]]),
            (&[("a - x", "b - x"), ("k - x", "l - x"), ("b - x", "a - x")], &[&[2, 0]]),
            (&[("a - x", "b - x"), ("b - x", "a - x"), ("c - x", "a - x")], &[&[1, 0], &[2]]),
            // By one value or the other.
            (&[("a 1 x", "b 2 x"), ("b 3 x", "y 3 x"), ("k 2 x", "l 4 x"), ("m 4 x", "a 5 x")], &[&[1, 3, 2, 0]]),
        ] {
            let found = groups(changes);
            // Of a group with one who gives and one who takes both values, either order of its givers will do.
            let sorted = |groups: &[Vec<u64>]| {
                groups
                    .iter()
                    .map(|group| group.iter().copied().collect::<std::collections::BTreeSet<_>>())
                    .collect::<Vec<_>>()
            };
            let expected: Vec<Vec<u64>> = expected.iter().map(|group| group.to_vec()).collect();
            assert_eq!(sorted(&found), sorted(&expected), "{changes:?}");
            if changes.iter().all(|(old, _)| old.contains(" - ")) {
                assert_eq!(found, expected, "{changes:?}");
            }
        }
    }

    #[test]
    fn a_long_circle_is_one_group_and_too_many_are_none() {
        let layout = {
            let mut layout = layout(&["id", "email"]);
            layout.columns[1].unique = true;
            layout
        };
        let circle = |count: u64| {
            let mut handovers = Handovers::default();
            for place in 0..count {
                let cells = |value: u64| vec![Some(place.to_string()), Some(value.to_string())];
                let (old, new) = (cells(place), cells((place + 1) % count));
                let change = Change { kind: ChangeKind::Update, line: None, offset: None, old, new };
                handovers.note(place, &change, &layout);
            }
            handovers.groups()
        };
        let groups = circle(200_000);
        assert_eq!(groups.len(), 1);
        let behind_its_giver = groups[0].windows(2).all(|pair| pair[0] == pair[1] + 1);
        assert!(behind_its_giver && groups[0].len() == 200_000);
        assert!(circle(MOST as u64 + 1).is_empty());
    }
}

//! Refused rows in the words of the port: those that exchange unique values with each other are told apart.

use std::collections::{BTreeSet, HashMap};

use super::bisect::Refusal;
use crate::{
    model::{change::Change, plan::Layout},
    ports::{Refused, Why},
};

/// Refused rows that were to be added.
pub fn adds(refused: Vec<(usize, Refusal)>) -> Vec<Refused> {
    let row = |(index, refusal): (usize, Refusal)| Refused { index, message: refusal.message, why: Why::Rule };
    refused.into_iter().map(row).collect()
}

/// Refused changes, and those that a trigger undid, with the columns. Those that want each other's unique values, in a circle, are
/// [`Why::Exchange`].
pub fn changes(
    layout: &Layout,
    changes: &[Change],
    refused: Vec<(usize, Refusal)>,
    put_back: Vec<(usize, String)>,
) -> Vec<Refused> {
    let unique: BTreeSet<usize> = refused.iter().filter(|(_, refusal)| refusal.unique).map(|(at, _)| *at).collect();
    let exchanged = exchanged(changes, unique);
    let told = |(index, Refusal { message, .. })| match exchanged.get(&index) {
        None => Refused { index, message, why: Why::Rule },
        Some(&column) => {
            let name = &layout.columns[column].column.name;
            let message = format!(
                "users of the file exchange their values of {name}, in which no two may have the same, and the database can't \
                 do that in one go: let them have other values first ({message})"
            );
            Refused { index, message, why: Why::Exchange }
        }
    };
    let put_back = put_back.into_iter().map(|(index, message)| Refused { index, message, why: Why::PutBack });
    let mut all: Vec<Refused> = refused.into_iter().map(told).chain(put_back).collect();
    all.sort_by_key(|refused| refused.index);
    all
}

/// Of these changes those in a circle in which each takes what the next one gives up, with the column.
fn exchanged(changes: &[Change], mut among: BTreeSet<usize>) -> HashMap<usize, usize> {
    loop {
        let mut given = HashMap::new();
        for &at in &among {
            for (column, old, _) in changes[at].properties() {
                if let Some(old) = old {
                    given.insert((column, old), at);
                }
            }
        }
        // Who takes nothing from the others, or has nothing that they take, is not in a circle.
        let (mut takes, mut gives) = (HashMap::new(), BTreeSet::new());
        for &at in &among {
            for (column, _, new) in changes[at].properties() {
                if let Some(giver) = new.and_then(|new| given.get(&(column, new))) {
                    takes.insert(at, column);
                    gives.insert(*giver);
                }
            }
        }
        let left: BTreeSet<usize> =
            among.iter().copied().filter(|at| takes.contains_key(at) && gives.contains(at)).collect();
        if left.len() == among.len() {
            return takes;
        }
        among = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::ChangeKind;

    fn change(old: &str, new: &str) -> Change {
        let cells = |text: &str| text.split(' ').map(|cell| (cell != "-").then(|| cell.to_owned())).collect();
        Change { kind: ChangeKind::Update, line: Some(2), offset: Some(0), old: cells(old), new: cells(new) }
    }

    #[test]
    fn only_circles_are_exchanges() {
        for (changes, expected) in [
            (&[("a 1", "a 2"), ("b 2", "b 1")][..], &[(0, 1), (1, 1)][..]),
            (&[("a 1", "a 2"), ("b 2", "b 3"), ("c 3", "c 1")], &[(0, 1), (1, 1), (2, 1)]),
            // Waits for one who is refused for another reason.
            (&[("a 1", "a 2"), ("b 2", "b 9")], &[]),
            (&[("a 1", "a 2"), ("b 2", "b 1"), ("c 3", "c 9")], &[(0, 1), (1, 1)]),
            // Behind a circle: nobody takes what it gives up.
            (&[("a 1", "a 2"), ("b 2", "b 1"), ("c 3", "c 2")], &[(0, 1), (1, 1)]),
            // What is nowhere, and what stays, is not exchanged; the same text in another column neither.
            (&[("a - 2", "a 2 2"), ("b 2 -", "b - 2")], &[]),
            (&[("a 1 x", "a 1 y"), ("b 1 y", "b 1 x")], &[(0, 2), (1, 2)]),
        ] {
            let all: Vec<Change> = changes.iter().map(|(old, new)| change(old, new)).collect();
            let mut found: Vec<_> = exchanged(&all, (0..all.len()).collect()).into_iter().collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{changes:?}");
        }
    }
}

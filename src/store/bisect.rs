//! Finds the rows that a database refuses among many that it takes: a slice is tried as a whole, and halved when it is
//! refused, until the rows to blame stand alone.

use std::collections::HashSet;

use async_trait::async_trait;

use crate::ports::StoreError;

/// How many rows are tried at once at first.
const CHUNK: usize = 16 * 1024;

/// How often rows that might be mended by their neighbours are tried again, at most: each round must get further.
const ROUNDS: usize = 16;

/// What can write chosen rows in a transaction, all of them or none.
#[async_trait]
pub trait Attempt: Send {
    /// Writes the rows in these places, in order. On a refusal nothing of them stays (a savepoint) and the
    /// transaction goes on; an error ends it.
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError>;

    /// Rows among those in these places that can't be taken whatever the others do, as far as one look tells: they refer to
    /// somebody who is neither in the table nor among them. Asked about a slice that was refused for what its neighbours might
    /// mend: halved, it would tear those apart who refer to each other.
    async fn hopeless(&mut self, places: &[usize]) -> Result<Vec<(usize, Refusal)>, StoreError> {
        let _ = places;
        Ok(Vec::new())
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All rows are written.
    Applied,
    /// The database refused at least one of them; none is written.
    Refused(Refusal),
}

/// The database's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In plain words: constraint, column. No other user's values.
    pub message: String,
    /// Whether the row might be taken once others are written (a foreign key to a later row, a unique value that
    /// another row gives up): such rows are tried again at the end.
    pub mendable: bool,
    /// Whether it has a value that another row has, where no two may.
    pub unique: bool,
}

impl Refusal {
    /// One that no neighbour can mend.
    pub fn for_good(message: impl Into<String>) -> Self {
        Self { message: message.into(), mendable: false, unique: false }
    }
}

/// Writes `count` rows and says which were refused, by their places in ascending order. All others are written.
pub async fn bisect(rows: &mut impl Attempt, count: usize) -> Result<Vec<(usize, Refusal)>, StoreError> {
    let all: Vec<usize> = (0..count).collect();
    let mut open = round(rows, &all).await?;
    let mut refused = Vec::new();
    for _ in 0..ROUNDS {
        let (again, out): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, refusal)| refusal.mendable);
        refused.extend(out);
        open = again;
        if open.is_empty() {
            break;
        }
        let places: Vec<usize> = open.iter().map(|(place, _)| *place).collect();
        let left = round(rows, &places).await?;
        let stuck = left.len() == open.len();
        open = left;
        if stuck {
            break;
        }
    }
    refused.extend(open);
    refused.sort_by_key(|(place, _)| *place);
    Ok(refused)
}

/// Tries all of `places` once; those refused, each with its own reason, in order.
async fn round(rows: &mut impl Attempt, places: &[usize]) -> Result<Vec<(usize, Refusal)>, StoreError> {
    let mut refused = Vec::new();
    for chunk in places.chunks(CHUNK) {
        match rows.attempt(chunk).await? {
            Outcome::Applied => {}
            Outcome::Refused(refusal) if chunk.len() == 1 => refused.push((chunk[0], refusal)),
            Outcome::Refused(refusal) => {
                let hopeless = if refusal.mendable { rows.hopeless(chunk).await? } else { Vec::new() };
                let out: HashSet<usize> = hopeless.iter().map(|(place, _)| *place).collect();
                refused.extend(hopeless);
                let others: Vec<usize> = chunk.iter().copied().filter(|place| !out.contains(place)).collect();
                halves(rows, &others, out.is_empty(), &mut refused).await?;
            }
        }
    }
    refused.sort_by_key(|(place, _)| *place);
    Ok(refused)
}

/// Tries a slice, and halves what is refused. `was`: the whole slice was refused already.
async fn halves(
    rows: &mut impl Attempt,
    slice: &[usize],
    was: bool,
    refused: &mut Vec<(usize, Refusal)>,
) -> Result<(), StoreError> {
    fn push<'s>(todo: &mut Vec<&'s [usize]>, slice: &'s [usize]) {
        let (left, right) = slice.split_at(slice.len() / 2);
        todo.push(right);
        todo.push(left);
    }
    // A stack, the first slice on top: rows are written in the order of the file.
    let mut todo = Vec::new();
    if was {
        push(&mut todo, slice)
    } else {
        todo.push(slice)
    }
    while let Some(slice) = todo.pop().filter(|slice| !slice.is_empty()) {
        match (rows.attempt(slice).await?, slice) {
            (Outcome::Applied, _) => {}
            (Outcome::Refused(refusal), &[place]) => refused.push((place, refusal)),
            (Outcome::Refused(_), _) => push(&mut todo, slice),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Rows with what the database says of them: refused always, or as long as another row is missing.
    #[derive(Default)]
    struct Table {
        bad: BTreeSet<usize>,
        needs: Vec<(usize, usize)>,
        written: BTreeSet<usize>,
        attempts: usize,
        /// Whether it is looked who refers to nobody.
        looks: bool,
    }

    #[async_trait]
    impl Attempt for Table {
        async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
            self.attempts += 1;
            assert!(!places.is_empty());
            let mut after = self.written.clone();
            for &place in places {
                assert!(after.insert(place), "row {place} is written twice");
            }
            if let Some(bad) = places.iter().find(|p| self.bad.contains(p)) {
                return Ok(Outcome::Refused(Refusal::for_good(format!("bad {bad}"))));
            }
            let missing = self.needs.iter().find(|(row, on)| places.contains(row) && !after.contains(on));
            if let Some((row, on)) = missing {
                let message = format!("{row} needs {on}");
                return Ok(Outcome::Refused(Refusal { mendable: true, ..Refusal::for_good(message) }));
            }
            self.written = after;
            Ok(Outcome::Applied)
        }

        async fn hopeless(&mut self, places: &[usize]) -> Result<Vec<(usize, Refusal)>, StoreError> {
            if !self.looks {
                return Ok(Vec::new());
            }
            let above = |on: usize| (!self.written.contains(&on)).then(|| places.iter().position(|place| *place == on));
            let mut references = super::super::referring::References::default();
            for (at, place) in places.iter().enumerate() {
                for (_, on) in self.needs.iter().filter(|(row, _)| row == place) {
                    if let Some(above) = above(*on) {
                        references.refers(at, above, 0);
                    }
                }
            }
            let refusal = |(at, _)| (places[at], Refusal { mendable: true, ..Refusal::for_good("to nobody") });
            Ok(references.without_anybody().into_iter().map(refusal).collect())
        }
    }

    async fn refused(table: &mut Table, count: usize) -> Vec<(usize, String)> {
        let refused = bisect(table, count).await.unwrap();
        assert_eq!(table.written.len() + refused.len(), count);
        refused.into_iter().map(|(place, refusal)| (place, refusal.message)).collect()
    }

    #[tokio::test]
    async fn circles_are_not_torn_apart_by_those_who_refer_to_nobody() {
        // 0 and 20,001 refer to 50,000, who is not there, 3 to one of them; 1 and 30,000 to each other.
        let needs = vec![(0, 50_000), (20_001, 50_000), (3, 20_001), (1, 30_000), (30_000, 1)];
        let mut table = Table { needs, looks: true, ..Table::default() };
        let refused: Vec<usize> = refused(&mut table, 40_000).await.into_iter().map(|(place, _)| place).collect();
        assert_eq!(refused, [0, 3, 20_001]);
        assert!(table.attempts < 100, "{} attempts", table.attempts);
    }

    #[tokio::test]
    async fn nothing_and_everything() {
        let mut table = Table::default();
        assert!(refused(&mut table, 0).await.is_empty());
        assert_eq!(table.attempts, 0);
        assert!(refused(&mut table, 50_000).await.is_empty());
        assert_eq!(table.attempts, 4);
        let mut table = Table { bad: (0..5).collect(), ..Table::default() };
        assert_eq!(refused(&mut table, 5).await.len(), 5);
    }

    #[tokio::test]
    async fn the_rows_to_blame_stand_alone() {
        let mut table = Table { bad: [0, 17_000, 49_999].into(), ..Table::default() };
        let names = [(0, "bad 0"), (17_000, "bad 17000"), (49_999, "bad 49999")];
        assert_eq!(refused(&mut table, 50_000).await, names.map(|(place, text)| (place, text.to_owned())));
        assert!(table.attempts < 100, "{} attempts", table.attempts);
    }

    #[tokio::test]
    async fn a_row_that_needs_a_later_one_is_taken_in_the_end() {
        let needs = vec![(1, 30_000), (30_000, 40_000), (7, 9)];
        let mut table = Table { bad: [9, 40_001].into(), needs, ..Table::default() };
        let expected = [(7, "7 needs 9"), (9, "bad 9"), (40_001, "bad 40001")];
        assert_eq!(refused(&mut table, 45_000).await, expected.map(|(place, text)| (place, text.to_owned())));
    }
}

//! Rejects by what is wrong with them.

use crate::model::{reject::Reject, report::RejectKind};

/// How many rejects of one kind are kept to be shown.
pub const EXAMPLES: usize = 50;
/// How many kinds are told apart by their column; of what comes then only the code counts.
const MOST: usize = 200;
/// How many characters of a message are kept: some quote the database.
const MESSAGE: usize = 1_000;

/// Counts rejects by code and column, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    kinds: Vec<RejectKind>,
    /// Where the last one went: what is wrong with a file is often wrong all through it.
    last: usize,
}

impl Kinds {
    /// Counts one more.
    pub fn take(&mut self, reject: &Reject) {
        let at = self.place(reject);
        let kind = &mut self.kinds[at];
        kind.count += 1;
        if kind.first.len() < EXAMPLES {
            let mut kept = reject.clone();
            if let Some((end, _)) = kept.message.char_indices().nth(MESSAGE) {
                kept.message.truncate(end);
                kept.message.push('…');
            }
            kind.first.push(kept);
        }
        self.last = at;
    }

    /// The kinds, the most frequent first; of equally frequent ones that of the earlier line.
    pub fn sorted(&self) -> Vec<RejectKind> {
        let mut kinds = self.kinds.clone();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        kinds
    }

    fn place(&mut self, reject: &Reject) -> usize {
        let is = |kind: &RejectKind, column: &Option<String>| kind.code == reject.code && kind.column == *column;
        if self.kinds.get(self.last).is_some_and(|kind| is(kind, &reject.column)) {
            return self.last;
        }
        if let Some(at) = self.kinds.iter().position(|kind| is(kind, &reject.column)) {
            return at;
        }
        let column = if self.kinds.len() < MOST { reject.column.clone() } else { None };
        if let Some(at) = self.kinds.iter().position(|kind| is(kind, &column)) {
            return at;
        }
        self.kinds.push(RejectKind { code: reject.code, column, count: 0, first: Vec::new() });
        self.kinds.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reject::RejectCode;

    fn reject(line: u64, code: RejectCode, column: Option<&str>) -> Reject {
        let column = column.map(str::to_owned);
        Reject { line, column, value: None, code, message: "m".repeat(2_000), sensitive: false }
    }

    #[test]
    fn kinds_are_counted_and_the_most_frequent_comes_first() {
        let mut kinds = Kinds::default();
        kinds.take(&reject(2, RejectCode::Required, Some("mail")));
        for line in 3..103 {
            kinds.take(&reject(line, RejectCode::InvalidDate, Some("born")));
            kinds.take(&reject(line, RejectCode::Ragged, None));
        }
        kinds.take(&reject(200, RejectCode::Ragged, None));
        let said: Vec<_> = kinds
            .sorted()
            .into_iter()
            .map(|kind| (kind.code, kind.count, kind.first.len(), kind.first[0].line))
            .collect();
        assert_eq!(
            said,
            [
                (RejectCode::Ragged, 101, EXAMPLES, 3),
                (RejectCode::InvalidDate, 100, EXAMPLES, 3),
                (RejectCode::Required, 1, 1, 2)
            ]
        );
        assert_eq!(kinds.sorted()[0].first[0].message.chars().count(), MESSAGE + 1);
    }

    #[test]
    fn a_file_with_a_thousand_columns_is_counted_in_bounded_memory() {
        let mut kinds = Kinds::default();
        for n in 0..1_000 {
            kinds.take(&reject(n, RejectCode::Required, Some(&format!("column {n}"))));
        }
        let sorted = kinds.sorted();
        assert_eq!(sorted.len(), MOST + 1);
        assert_eq!((sorted[0].column.as_deref(), sorted[0].count), (None, 800));
    }
}

//! Users who refer to other users of the table (managers): who of them refers to nobody, at last.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

/// References among rows that are to be added.
#[derive(Default)]
pub struct References {
    /// Who refers to this row, and in which column.
    below: HashMap<usize, Vec<(usize, usize)>>,
    /// Who refers to nobody.
    open: Vec<(usize, usize)>,
}

impl References {
    /// This row refers in this column to a user who is not in the table: to that row, or to nobody.
    pub fn refers(&mut self, row: usize, above: Option<usize>, column: usize) {
        match above {
            Some(above) => self.below.entry(above).or_default().push((row, column)),
            None => self.open.push((row, column)),
        }
    }

    /// The rows that refer to nobody, those that refer to them, and so on; each with its column, in order.
    pub fn without_anybody(mut self) -> BTreeMap<usize, usize> {
        let mut found = BTreeMap::new();
        while let Some((row, column)) = self.open.pop() {
            if let Entry::Vacant(place) = found.entry(row) {
                place.insert(column);
                self.open.extend(self.below.remove(&row).unwrap_or_default());
            }
        }
        found
    }
}

/// The words for such a row.
pub fn message(column: &str) -> String {
    format!("column {column} names a user who is not there (foreign key)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_below_nobody_refers_to_nobody() {
        let mut references = References::default();
        for (row, above, column) in [
            (0, Some(1), 3),
            (1, Some(2), 3),
            (2, None, 4),
            (5, Some(6), 3),
            (6, Some(5), 3),
            (7, Some(5), 3),
            (8, Some(8), 3),
            (7, None, 4),
        ] {
            references.refers(row, above, column);
        }
        assert_eq!(references.without_anybody(), BTreeMap::from([(0, 3), (1, 3), (2, 4), (7, 4)]));
    }
}

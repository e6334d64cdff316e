//! Many rows of nullable text in two allocations.

use serde::{Deserialize, Serialize};

/// Rows of equal width. A cell is text or NULL; all text lies in one buffer, so that a million rows
/// cost no million allocations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    width: usize,
    text: String,
    /// Per cell: where it ends in `text`, with [`NULL`] set if it is NULL, [`GAP`] if a byte follows that is of no cell.
    ends: Vec<u32>,
}

const NULL: u32 = 1 << 31;
const GAP: u32 = 1 << 30;
const END: u32 = GAP - 1;

impl Rows {
    /// Rows of `width` cells; none yet.
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// How many cells a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of text held: the measure by which a batch is cut. Keep a batch under 1 GiB.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// Adds a cell; `width` of them make a row.
    pub fn push(&mut self, cell: Option<&str>) {
        let null = match cell {
            Some(text) => {
                self.text.push_str(text);
                0
            }
            None => NULL,
        };
        // A batch is cut long before 2 GiB.
        self.ends.push(self.text.len() as u32 | null);
    }

    /// Adds a row of `width` cells.
    pub fn push_row<'a>(&mut self, cells: impl IntoIterator<Item = Option<&'a str>>) {
        let before = self.ends.len();
        cells.into_iter().for_each(|cell| self.push(cell));
        debug_assert_eq!(self.ends.len() - before, self.width, "a row of another width");
    }

    /// Adds a row as it stands in a line: its cells, each but the last with one byte behind it that is of no cell. `cells` says
    /// where each of them ends, and whether it is text rather than NULL; None: there is no such row, and none is added.
    pub fn push_line(&mut self, line: &str, mut cells: impl Iterator<Item = Option<(usize, bool)>>) -> bool {
        let (before, begin) = (self.ends.len(), self.text.len() as u32);
        let whole = cells.all(|cell| {
            let Some((end, text)) = cell else { return false };
            let gap = if end < line.len() { GAP } else { 0 };
            self.ends.push((begin + end as u32) | gap | if text { 0 } else { NULL });
            true
        });
        if whole && self.ends.len() - before == self.width {
            self.text.push_str(line);
            return true;
        }
        self.ends.truncate(before);
        false
    }

    /// Forgets the rows behind the first `rows`.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows * self.width);
        let kept = self.ends.last().map_or(0, |end| (end & END) as usize);
        self.text.truncate(kept);
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// The row of that number, from 0.
    pub fn row(&self, index: usize) -> Row<'_> {
        debug_assert!(index < self.len());
        Row { rows: self, first: index * self.width }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|index| self.row(index))
    }
}

/// One row of [`Rows`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    rows: &'a Rows,
    first: usize,
}

impl<'a> Row<'a> {
    /// The cell in that place, from 0; None is NULL.
    pub fn get(&self, cell: usize) -> Option<&'a str> {
        let at = self.first + cell;
        let end = self.rows.ends[at];
        if end & NULL != 0 {
            return None;
        }
        let start = match at.checked_sub(1).map(|before| self.rows.ends[before]) {
            Some(before) => (before & END) + u32::from(before & GAP != 0),
            None => 0,
        };
        Some(&self.rows.text[start as usize..(end & END) as usize])
    }

    /// All cells in order.
    pub fn cells(&self) -> impl Iterator<Item = Option<&'a str>> {
        let row = *self;
        (0..self.rows.width).map(move |cell| row.get(cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_went_in() {
        let mut rows = Rows::new(3);
        rows.push_row([Some("a"), None, Some("")]);
        rows.push_row([None, Some("bc"), Some("d")]);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows.row(0).cells().collect::<Vec<_>>(), [Some("a"), None, Some("")]);
        assert_eq!(rows.row(1).cells().collect::<Vec<_>>(), [None, Some("bc"), Some("d")]);
        rows.truncate(1);
        rows.push_row([Some("x"), Some("ü"), None]);
        assert_eq!(rows.row(0).cells().collect::<Vec<_>>(), [Some("a"), None, Some("")]);
        assert_eq!(rows.row(1).cells().collect::<Vec<_>>(), [Some("x"), Some("ü"), None]);
        rows.clear();
        assert!(rows.is_empty());
    }

    #[test]
    fn a_line_becomes_a_row_or_none() {
        let mut rows = Rows::new(3);
        rows.push_row([Some("a"), None, Some("c")]);
        assert!(rows.push_line("ü,,-", [Some((2, true)), Some((3, true)), Some((4, false))].into_iter()));
        assert!(!rows.push_line("b,c", [Some((1, true)), Some((3, true))].into_iter()), "another width");
        assert!(!rows.push_line("b,c,d", [Some((1, true)), None, Some((5, true))].into_iter()));
        rows.push_row([Some("x"), Some("y"), Some("z")]);
        let found: Vec<Vec<_>> = rows.iter().map(|row| row.cells().collect()).collect();
        assert_eq!(
            found,
            [vec![Some("a"), None, Some("c")], vec![Some("ü"), Some(""), None], vec![Some("x"), Some("y"), Some("z")]]
        );
    }
}

//! Later: rows of the table that came before the file was read so far, set aside until it is.

use std::{fs::File, io};

use crate::{
    model::rows::{Row, Rows},
    sync::spill::SpillWriter,
};

/// Bytes of text that are kept in memory; what is more lies in a temporary file.
const KEPT: usize = 1 << 20;

/// Rows that are set aside, each with its key in the form in which the file's index has it.
pub(super) struct Later<'a> {
    kept: (Rows, Rows),
    spill: Option<SpillWriter<(Rows, Rows)>>,
    scratch: &'a (dyn Fn() -> io::Result<File> + Sync),
}

impl<'a> Later<'a> {
    /// None yet, of `width` cells. `scratch` makes an empty temporary file.
    pub fn new(width: usize, scratch: &'a (dyn Fn() -> io::Result<File> + Sync)) -> Self {
        Self { kept: (Rows::new(width), Rows::new(1)), spill: None, scratch }
    }

    /// Sets a row aside.
    pub fn push(&mut self, row: Row<'_>, form: Option<&str>) -> io::Result<()> {
        let (rows, forms) = &mut self.kept;
        rows.push_row(row.cells());
        forms.push(form);
        if rows.size() >= KEPT {
            let spill = match &mut self.spill {
                Some(spill) => spill,
                none => none.insert(SpillWriter::new((self.scratch)()?)),
            };
            spill.push(&self.kept)?;
            let (rows, forms) = &mut self.kept;
            rows.clear();
            forms.clear();
        }
        Ok(())
    }

    /// Reads the rows in the order in which they came.
    pub fn read(self, mut each: impl FnMut(Row<'_>, Option<&str>) -> io::Result<()>) -> io::Result<()> {
        let mut all = |(rows, forms): &(Rows, Rows)| {
            rows.iter().zip(forms.iter()).try_for_each(|(row, form)| each(row, form.get(0)))
        };
        if let Some(spill) = self.spill {
            for kept in spill.finish()?.read()? {
                all(&kept?)?;
            }
        }
        all(&self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_however_many_they_are() {
        for (count, size) in [(0, 10), (3, 10), (5_000, 1_000)] {
            let scratch = || tempfile::tempfile();
            let mut later = Later::new(2, &scratch);
            let row = |n: usize| [Some(n.to_string()), (!n.is_multiple_of(3)).then(|| "ü".repeat(size / 2))];
            for n in 0..count {
                let mut rows = Rows::new(2);
                rows.push_row(row(n).iter().map(Option::as_deref));
                later.push(rows.row(0), Some("form")).unwrap();
            }
            let mut seen = 0;
            later
                .read(|found, form| {
                    let expected = row(seen);
                    assert!(found.cells().eq(expected.iter().map(Option::as_deref)), "{seen}");
                    assert_eq!(form, Some("form"));
                    seen += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, count);
        }
    }
}

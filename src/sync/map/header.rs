//! The file's columns by name.

use crate::sync::{
    decode::{Header, RawRow},
    expression::Expression,
    names::meant,
    render::rejects::REJECT_COLUMNS,
};

/// An expression, with the file's columns that it reads.
pub(super) struct RowExpression {
    expression: Expression,
    /// In the order of its references; none where the file has no such column.
    places: Vec<Option<usize>>,
}

impl RowExpression {
    /// Its text on this row; None is empty.
    pub fn text(&self, columns: &Columns, row: &RawRow) -> Result<Option<String>, String> {
        self.expression.text(&self.cells(columns, row))
    }

    /// Whether it holds on this row.
    pub fn truth(&self, columns: &Columns, row: &RawRow) -> Result<bool, String> {
        self.expression.truth(&self.cells(columns, row))
    }

    fn cells<'r>(&self, columns: &Columns, row: &'r RawRow) -> Vec<Option<&'r str>> {
        self.places.iter().map(|place| place.map(|at| columns.cell(row, at))).collect()
    }
}

/// The header, and how cells are read.
pub(super) struct Columns {
    /// In the file's order; empty for columns that the mapping is not offered.
    names: Vec<String>,
    trim: bool,
}

impl Columns {
    pub fn new(header: &Header, trim: bool) -> Self {
        let ours =
            |name: &String| header.correction && REJECT_COLUMNS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        let names = header.names.iter().map(|name| if ours(name) { String::new() } else { name.clone() }).collect();
        Self { names, trim }
    }

    /// The place of the first of these names that the header has: exactly, or else ignoring case if that is
    /// unambiguous.
    pub fn find(&self, names: &[String]) -> Result<usize, String> {
        for name in names {
            let name = name.trim();
            if let Some(at) = self.names.iter().position(|known| known == name) {
                return Ok(at);
            }
            let folded = name.to_lowercase();
            let mut alike = (0..self.names.len()).filter(|at| self.names[*at].to_lowercase() == folded);
            match (alike.next(), alike.next()) {
                (Some(at), None) => return Ok(at),
                (Some(one), Some(other)) => {
                    return Err(format!(
                        "column \"{name}\" could be \"{}\" or \"{}\" of the file: write one of them in `mapping` exactly so",
                        self.names[one], self.names[other]
                    ));
                }
                (None, _) => {}
            }
        }
        let wanted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        Err(format!(
            "the file has no column {}{}; its header has: {}",
            wanted.join(" or "),
            self.nearest(names),
            self.listed()
        ))
    }

    /// Compiles an expression and sees that the columns it names are there.
    pub fn expression(&self, field: &str, text: &str) -> Result<RowExpression, Vec<String>> {
        let expression = Expression::compile(text).map_err(|error| vec![format!("`{field}`: {error}")])?;
        let place = |name: &String| self.find(std::slice::from_ref(name));
        let (mut places, mut missing) = (Vec::new(), Vec::new());
        for reference in expression.references() {
            match place(&reference.name) {
                Ok(at) => places.push(Some(at)),
                Err(_) if reference.optional => places.push(None),
                Err(problem) => missing.push(problem),
            }
        }
        if missing.is_empty() {
            return Ok(RowExpression { expression, places });
        }
        Err(missing.into_iter().map(|problem| format!("`{field}`: {problem}")).collect())
    }

    /// The column's name.
    pub fn name(&self, at: usize) -> &str {
        &self.names[at]
    }

    /// A cell as the mapping sees it.
    pub fn cell<'r>(&self, row: &'r RawRow, at: usize) -> &'r str {
        let cell = row.cell(at);
        if self.trim { cell.trim() } else { cell }
    }

    fn listed(&self) -> String {
        let names: Vec<_> = self.names.iter().filter(|name| !name.is_empty()).map(String::as_str).collect();
        match names.as_slice() {
            [name] => format!("{name} alone (is `csv.delimiter` right?)"),
            names => names.join(", "),
        }
    }

    fn nearest(&self, names: &[String]) -> String {
        let wanted: Vec<_> = names.iter().map(String::as_str).collect();
        meant(&wanted, self.names.iter().map(String::as_str).filter(|known| !known.is_empty()))
    }
}

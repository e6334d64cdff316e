//! The file's columns by name.

use std::collections::HashMap;

use crate::sync::{
    decode::{Header, RawRow},
    expression::Expression,
};

/// A row as expressions see it: header name to cell.
pub(super) type RowMap = HashMap<String, String>;

/// The header, and how cells are read.
pub(super) struct Columns {
    /// In the file's order; empty for columns that the mapping is not offered.
    names: Vec<String>,
    trim: bool,
}

impl Columns {
    pub fn new(header: &Header, trim: bool) -> Self {
        let ours = |name: &String| header.correction && name.to_ascii_lowercase().starts_with("usersync_");
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
    pub fn expression(&self, field: &str, text: &str) -> Result<Expression, Vec<String>> {
        let expression = Expression::compile(text).map_err(|error| vec![format!("`{field}`: {error}")])?;
        let unknown = |name: &String| !self.names.contains(name);
        let missing: Vec<_> = expression.columns().into_iter().filter(unknown).collect();
        if missing.is_empty() {
            return Ok(expression);
        }
        let missing = missing.iter().map(|name| {
            let near = self.nearest(std::slice::from_ref(name));
            format!(
                "`{field}` names column \"{name}\", which the file doesn't have{near}; its header has: {}",
                self.listed()
            )
        });
        Err(missing.collect())
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

    /// The row as expressions see it.
    pub fn as_map(&self, row: &RawRow) -> RowMap {
        let named = (0..self.names.len()).filter(|at| !self.names[*at].is_empty());
        named.map(|at| (self.names[at].clone(), self.cell(row, at).to_owned())).collect()
    }

    fn listed(&self) -> String {
        let names: Vec<_> = self.names.iter().filter(|name| !name.is_empty()).map(String::as_str).collect();
        names.join(", ")
    }

    fn nearest(&self, names: &[String]) -> String {
        let likeness = |known: &String| {
            names
                .iter()
                .map(|name| strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()))
                .fold(0.0, f64::max)
        };
        let near = self.names.iter().filter(|known| !known.is_empty() && likeness(known) > 0.8);
        near.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
            .map_or_else(String::new, |known| format!(" (is \"{known}\" meant?)"))
    }
}

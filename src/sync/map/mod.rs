//! Map: a raw row becomes a user, is left out, or is refused with a reason.

mod header;
mod property;

use self::{
    header::{Columns, RowExpression},
    property::{Cell, PropertyMap},
};
use super::{
    decode::{Header, RawRow},
    layout::empty_value,
};
use crate::{
    api::ConflictMode,
    model::{
        job::{CsvOptions, Mapping},
        plan::{Layout, Role},
        reject::{Reject, RejectCode},
    },
};

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// It is a user.
    User,
    /// The filter leaves it out.
    Filtered,
    /// It is refused.
    Rejected(Reject),
}

/// A row's user. Kept between rows, so that its memory is used again.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// The match key, canonical; also of a refused row, where it can be read.
    pub key: Option<String>,
    /// The layout's columns in order, canonical; the empty value where the row says nothing.
    pub values: Vec<Option<String>>,
    /// Which of them take part in comparing and changing an existing user; never the key.
    pub specified: Vec<bool>,
}

/// A mapping, compiled for one file's header and one table's columns.
pub struct Mapper {
    columns: Columns,
    filter: Option<RowExpression>,
    /// For each column of the layout, in order, what a row puts into it.
    places: Vec<Place>,
}

/// What a row puts into a column of the layout.
struct Place {
    role: Role,
    /// The mapped property; none where the mapping doesn't speak of the column.
    property: Option<PropertyMap>,
    /// The column's empty value; `None` if it can't be empty.
    empty: Option<Option<String>>,
}

impl Mapper {
    /// Compiles the mapping. `Err` has every problem at once: mapped columns that the header lacks, names that fit
    /// several columns, expressions that name an unknown column.
    pub fn new(
        mapping: &Mapping,
        options: &CsvOptions,
        header: &Header,
        layout: &Layout,
        conflict: ConflictMode,
    ) -> Result<Self, Vec<String>> {
        let columns = Columns::new(header, options.trim);
        let mut problems = Vec::new();
        let mut places = Vec::new();
        for (at, column) in layout.columns.iter().enumerate() {
            let property = match at {
                0 => Some(&mapping.user_id),
                _ => mapping.properties.iter().find(|property| property.property == column.column.name),
            };
            let property = property.and_then(|property| {
                PropertyMap::new(property, column, mapping, &columns, conflict)
                    .map_err(|mut more| problems.append(&mut more))
                    .ok()
            });
            places.push(Place { role: column.role, property, empty: empty_value(&column.column) });
        }
        let filter = mapping.filter.as_deref().and_then(|text| {
            columns.expression("mapping.filter", text).map_err(|mut more| problems.append(&mut more)).ok()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { columns, filter, places })
    }

    /// Maps one row into `user`: first the filter, then the match key, then the properties in the layout's order. The
    /// first problem refuses the row; its message says how many more there are.
    pub fn map(&mut self, row: &RawRow, user: &mut User) -> Mapped {
        user.key = None;
        if let Some(filter) = &self.filter {
            match filter.truth(&self.columns, row) {
                Ok(true) => {}
                Ok(false) => return Mapped::Filtered,
                Err(why) => {
                    self.key(row, user);
                    let message = format!("`mapping.filter` can't be evaluated on this row: {why}");
                    return Mapped::Rejected(plain(row, RejectCode::FilterFailed, message));
                }
            }
        }
        user.values.resize(self.places.len(), None);
        user.specified.resize(self.places.len(), false);
        let (mut first, mut problems) = (None, 0);
        for (at, place) in self.places.iter().enumerate() {
            match place.fill(&self.columns, row, &mut user.values[at]) {
                Ok(specified) => user.specified[at] = specified,
                Err(reject) => {
                    problems += 1;
                    first.get_or_insert(reject);
                }
            }
            if at == 0 && first.is_none() {
                user.key.clone_from(&user.values[0]);
            }
        }
        match first {
            None => Mapped::User,
            Some(mut reject) => {
                if problems > 1 {
                    reject.message += &format!(" (and {} more in this row)", problems - 1);
                }
                Mapped::Rejected(reject)
            }
        }
    }

    /// Reads the match key alone; none where it can't be read.
    pub fn key(&self, row: &RawRow, user: &mut User) {
        let key = self.places.first().map(|place| place.fill(&self.columns, row, &mut user.key));
        if !matches!(key, Some(Ok(_))) {
            user.key = None;
        }
    }
}

impl Place {
    /// Whether the column's values are compared.
    fn compared(&self) -> bool {
        matches!(self.role, Role::Mapped | Role::Cleared)
    }

    /// Fills in the column's value, and says whether it takes part in comparing.
    fn fill(&self, columns: &Columns, row: &RawRow, value: &mut Option<String>) -> Result<bool, Reject> {
        let Some(property) = &self.property else {
            value.clone_from(self.empty.as_ref().unwrap_or(&None));
            return Ok(self.role == Role::Cleared);
        };
        match property.cell(columns, row, value)? {
            // The key decides who is compared, it is not compared itself.
            Cell::Filled => Ok(self.compared()),
            Cell::Empty if self.role == Role::Key => {
                Err(property.reject(row, None, RejectCode::KeyMissing, "the user id is empty: fill it in".to_owned()))
            }
            Cell::Empty => match &self.empty {
                Some(empty) => {
                    value.clone_from(empty);
                    Ok(self.compared() && property.clears)
                }
                None => Err(property.reject(
                    row,
                    None,
                    RejectCode::Required,
                    format!("{} is empty, but the table needs a value: fill it in", property.name),
                )),
            },
        }
    }
}

/// A reject of the whole row.
fn plain(row: &RawRow, code: RejectCode, message: String) -> Reject {
    Reject { line: row.line, column: None, value: None, code, message, sensitive: false }
}

#[cfg(test)]
mod tests;

//! One property: where its text comes from, and what it must be.

use jiff::tz::TimeZone;

use super::header::{Columns, RowExpression};
use crate::{
    api::{ConflictMode, EmptyCell, PropertyType},
    model::{
        column::ColumnType,
        job::{From, Mapping, Property},
        plan::{LayoutColumn, Role},
        reject::{Reject, RejectCode},
    },
    sync::{
        decode::RawRow,
        value::{ValueError, convert},
    },
};

/// How much of a cell a reject shows, in characters.
const SHOWN: usize = 100;

/// A property, compiled.
pub(super) struct PropertyMap {
    pub name: String,
    /// Whether an empty cell empties an existing user's property.
    pub clears: bool,
    from: Origin,
    required: bool,
    default: Option<String>,
    kind: Option<PropertyType>,
    format: Option<String>,
    time_zone: TimeZone,
    column: ColumnType,
    sensitive: bool,
}

enum Origin {
    Column(usize),
    Expression(RowExpression),
}

/// Whether a row has a value for the property.
pub(super) enum Cell {
    Filled,
    Empty,
}

impl PropertyMap {
    pub fn new(
        property: &Property,
        column: &LayoutColumn,
        mapping: &Mapping,
        columns: &Columns,
        conflict: ConflictMode,
    ) -> Result<Self, Vec<String>> {
        let from = match &property.from {
            From::Column(names) => Origin::Column(columns.find(names).map_err(|problem| vec![problem])?),
            From::Expression(text) => {
                Origin::Expression(columns.expression(&format!("expression of {}", property.property), text)?)
            }
        };
        let clears = match property.empty {
            Some(EmptyCell::Clear) => true,
            Some(EmptyCell::Keep) => false,
            None => conflict == ConflictMode::Replace,
        };
        Ok(Self {
            name: property.property.clone(),
            clears,
            from,
            // An empty key has a reason of its own.
            required: property.required && column.role != Role::Key,
            default: property.default.clone(),
            kind: property.kind,
            format: property.format.clone(),
            time_zone: mapping.time_zone.clone(),
            column: column.column.kind.clone(),
            sensitive: property.sensitive,
        })
    }

    /// Puts the row's value, canonical, into `value`.
    pub fn cell(&self, columns: &Columns, row: &RawRow, value: &mut Option<String>) -> Result<Cell, Reject> {
        match &self.from {
            Origin::Column(at) => self.checked(columns.cell(row, *at), Some(columns.name(*at)), row, value),
            Origin::Expression(expression) => match expression.text(columns, row) {
                Ok(Some(text)) if text.contains('\0') => {
                    let message = format!("the expression of {} gives a NUL byte, which no database keeps", self.name);
                    Err(self.reject(row, None, RejectCode::NulByte, message))
                }
                Ok(text) => self.checked(text.as_deref().unwrap_or_default(), None, row, value),
                Err(why) => {
                    let message = format!("the expression of {} can't be evaluated on this row: {why}", self.name);
                    Err(self.reject(row, None, RejectCode::ExpressionFailed, message))
                }
            },
        }
    }

    fn checked(
        &self,
        text: &str,
        column: Option<&str>,
        row: &RawRow,
        value: &mut Option<String>,
    ) -> Result<Cell, Reject> {
        let text = match (text.is_empty(), &self.default) {
            (true, Some(default)) => default.as_str(),
            _ => text,
        };
        if text.is_empty() {
            if self.required {
                let message = format!("{} is required, but empty: fill it in", self.name);
                return Err(self.reject(row, column, RejectCode::Required, message));
            }
            return Ok(Cell::Empty);
        }
        let failed = |error: ValueError| {
            let mut reject = self.reject(row, column, error.code, error.message);
            reject.value = Some(text.chars().take(SHOWN).collect());
            reject
        };
        let stored = convert(self.kind, self.format.as_deref(), &self.time_zone, &self.column, text).map_err(failed)?;
        // The memory of the row before is used again.
        let place = value.get_or_insert_default();
        place.clear();
        place.push_str(&stored);
        Ok(Cell::Filled)
    }

    /// A reject of this property's cell.
    pub fn reject(&self, row: &RawRow, column: Option<&str>, code: RejectCode, message: String) -> Reject {
        let column = column.map(str::to_owned);
        Reject { line: row.line, column, value: None, code, message, sensitive: self.sensitive }
    }
}

//! CEL expressions of the mapping: over one row of the file, with a cost that is known before any row is read.

mod check;
mod functions;

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cel::{
    Context, ExecutionError, Program, Value,
    objects::{Key, Map},
};

pub use check::Reference;

/// The longest expression, in characters.
pub const MAX_LENGTH: usize = 1_024;
/// The most text that one row may hand to an expression, in bytes: the static cost bound assumes rows of a usual size.
const MAX_TEXT: usize = 64 << 10;

/// Why an expression can't be used; whole sentences without the expression itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// More than [`MAX_LENGTH`] characters.
    #[error("the expression has {0} characters: at most {MAX_LENGTH} are allowed")]
    TooLong(usize),
    /// It doesn't parse.
    #[error("{0}")]
    Syntax(String),
    /// It parses but names what isn't there.
    #[error("{0}")]
    Unknown(String),
    /// It could take too long on a row.
    #[error("{0}")]
    TooCostly(String),
}

/// A compiled expression. `row` is its one variable: `row['First']` or `row.First` is the text of a cell, empty or not.
pub struct Expression {
    program: Program,
    context: Context<'static>,
    references: Vec<Reference>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expression").field("references", &self.references).finish_non_exhaustive()
    }
}

impl Expression {
    /// Parses and checks an expression: length, names, functions, patterns, and the cost that it can have on a row.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to write instead.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        let length = source.chars().count();
        if length > MAX_LENGTH {
            return Err(ExpressionError::TooLong(length));
        }
        let unreadable = || ExpressionError::Syntax("not a CEL expression".to_owned());
        // The parser is not ours: what it can't take must not end the run.
        let program = catch_unwind(|| Program::compile(source)).map_err(|_| unreadable())?.map_err(|errors| {
            errors.errors.first().map_or_else(unreadable, |first| {
                let message: String = first.msg.lines().next().unwrap_or_default().chars().take(160).collect();
                ExpressionError::Syntax(format!("not a CEL expression: at character {}: {message}", first.pos.1.max(1)))
            })
        })?;
        let checked = check::check(program.expression())?;
        Ok(Self { program, context: functions::context(checked.patterns), references: checked.references })
    }

    /// The columns that it reads, each once, in the order in which [`Self::text`] and [`Self::truth`] take their cells.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The names of the columns that the header must have.
    pub fn columns(&self) -> Vec<String> {
        self.references.iter().filter(|r| !r.optional).map(|r| r.name.clone()).collect()
    }

    /// The result as text: a string, a number, `true` or `false`, a timestamp in ISO 8601; None for null. `cells` are those of
    /// [`Self::references`] in that order, None where the file has no such column.
    ///
    /// # Errors
    /// Why it failed on these cells, without showing them.
    pub fn text(&self, cells: &[Option<&str>]) -> Result<Option<String>, String> {
        match self.evaluate(cells)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(Arc::unwrap_or_clone(text))),
            Value::Int(number) => Ok(Some(number.to_string())),
            Value::UInt(number) => Ok(Some(number.to_string())),
            Value::Float(number) => {
                let text = format!("{number:?}");
                Ok(Some(text.strip_suffix(".0").map_or(text.clone(), str::to_owned)))
            }
            Value::Bool(truth) => Ok(Some(truth.to_string())),
            Value::Timestamp(time) => Ok(Some(time.to_rfc3339())),
            other => Err(format!(
                "the result is a {}, not text: string(…), for one, makes text of a number",
                other.type_of()
            )),
        }
    }

    /// The result as true or false.
    ///
    /// # Errors
    /// Why it failed on these cells, without showing them.
    pub fn truth(&self, cells: &[Option<&str>]) -> Result<bool, String> {
        match self.evaluate(cells)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(format!("the result is a {}, neither true nor false", other.type_of())),
        }
    }

    fn evaluate(&self, cells: &[Option<&str>]) -> Result<Value, String> {
        if cells.iter().flatten().map(|cell| cell.len()).sum::<usize>() > MAX_TEXT {
            return Err(format!("the cells that the expression reads hold more than {} KiB", MAX_TEXT >> 10));
        }
        let row: HashMap<Key, Value> = self
            .references
            .iter()
            .zip(cells)
            .filter_map(|(reference, cell)| {
                let cell = Value::String(Arc::new((*cell)?.to_owned()));
                Some((Key::String(reference.name.clone().into()), cell))
            })
            .collect();
        let mut context = self.context.new_inner_scope();
        context.add_variable_from_value("row", Value::Map(Map { map: Arc::new(row) }));
        // The interpreter is not ours either.
        match catch_unwind(AssertUnwindSafe(|| self.program.execute(&context))) {
            Ok(result) => result.map_err(|error| explain(&error)),
            Err(_) => Err("the expression can't be evaluated on this row".to_owned()),
        }
    }
}

/// The interpreter's error in plain words. Its own text shows values, which may be sensitive.
fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => format!("the file has no column '{name}'"),
        ExecutionError::UnsupportedBinaryOperator(_, left, right)
        | ExecutionError::ValuesNotComparable(left, right) => {
            format!(
                "a {} and a {} can't be combined: string(…), int(…) or double(…) turns one into the other",
                left.type_of(),
                right.type_of()
            )
        }
        ExecutionError::UnexpectedType { got, want } => format!("a {want} is needed where there is a {got}"),
        ExecutionError::FunctionError { function, message } if message == functions::TOO_LONG => {
            format!("{function}() gives {message}")
        }
        ExecutionError::FunctionError { function, .. } => format!("{function}() can't take this row's value"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list has no element at that place".to_owned(),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function takes {expected} arguments, not {actual}")
        }
        _ => "an operator or function got a kind of value that it can't take: string(…), int(…), double(…) and \
              timestamp(…) turn one kind into another"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests;

//! What is wrong with an expression, found without a row: names, functions, patterns, and the cost on a row of a usual size.

use std::collections::HashMap;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators},
};
use regex::{Regex, RegexBuilder};

use super::{ExpressionError, functions::FUNCTIONS};

/// The length of a cell that the bound assumes, in bytes, and the most work that a row may be: roughly, steps and bytes moved.
const CELL: u64 = 1_024;
const MAX_WORK: u64 = 20_000_000;
/// The largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 256 << 10;

/// A column that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As the expression writes it.
    pub name: String,
    /// It asks whether the column is there (`has(row.Title)`, `'Title' in row`), so the file may lack it.
    pub optional: bool,
}

/// An expression in which nothing is wrong.
pub(super) struct Checked {
    pub(super) references: Vec<Reference>,
    pub(super) patterns: HashMap<String, Regex>,
}

pub(super) fn check(expression: &IdedExpr) -> Result<Checked> {
    let mut walk =
        Walk { references: Vec::new(), patterns: HashMap::new(), scope: Vec::new(), times: 1, depth: 0, work: 0 };
    walk.expression(expression)?;
    if walk.work > MAX_WORK {
        return Err(ExpressionError::TooCostly(
            "the expression can take too long on a row: use fewer or smaller all(), exists(), map() and filter()"
                .to_owned(),
        ));
    }
    Ok(Checked { references: walk.references, patterns: walk.patterns })
}

/// An upper bound of a value: how many elements (1 unless it is a list or map), and how much text and elements in all.
#[derive(Clone, Copy)]
struct Bound {
    count: u64,
    total: u64,
}

const ONE: Bound = Bound { count: 1, total: 1 };

fn text(total: u64) -> Bound {
    Bound { count: 1, total: total.max(1) }
}

struct Walk {
    references: Vec<Reference>,
    patterns: HashMap<String, Regex>,
    /// The variables of the macros around, innermost last.
    scope: Vec<(String, Bound)>,
    /// How often the place is evaluated for one row.
    times: u64,
    /// How many macros are around.
    depth: u32,
    work: u64,
}

type Result<T> = std::result::Result<T, ExpressionError>;

impl Walk {
    fn spend(&mut self, work: u64) {
        self.work = self.work.saturating_add(work.saturating_add(1).saturating_mul(self.times));
    }

    fn expression(&mut self, expression: &IdedExpr) -> Result<Bound> {
        let bound = match &expression.expr {
            Expr::Literal(LiteralValue::String(literal)) => text(literal.inner().len() as u64),
            Expr::Literal(LiteralValue::Bytes(literal)) => text(literal.inner().len() as u64),
            Expr::Literal(_) => ONE,
            Expr::Ident(name) => self.ident(name)?,
            Expr::Select(select) if self.is_row(&select.operand) => self.column(&select.field, select.test),
            Expr::Select(select) => self.expression(&select.operand)?,
            Expr::Call(call) => self.call(call)?,
            Expr::List(list) => {
                let mut total = 1_u64;
                for element in &list.elements {
                    total = total.saturating_add(self.expression(element)?.total);
                }
                Bound { count: list.elements.len() as u64, total }
            }
            Expr::Map(map) => {
                let mut total = 1_u64;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        total = total.saturating_add(self.expression(&entry.key)?.total);
                        total = total.saturating_add(self.expression(&entry.value)?.total);
                    }
                }
                Bound { count: map.entries.len() as u64, total }
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension)?,
            Expr::Struct(_) | Expr::Unspecified => {
                return Err(ExpressionError::Unknown("messages such as Name{…} are not supported".to_owned()));
            }
        };
        self.spend(bound.total);
        Ok(bound)
    }

    fn is_row(&self, expression: &IdedExpr) -> bool {
        matches!(&expression.expr, Expr::Ident(name) if name == "row" && !self.scope.iter().any(|(n, _)| n == "row"))
    }

    fn column(&mut self, name: &str, optional: bool) -> Bound {
        match self.references.iter_mut().find(|r| r.name == name) {
            Some(reference) => reference.optional |= optional,
            None => self.references.push(Reference { name: name.to_owned(), optional }),
        }
        text(CELL)
    }

    fn ident(&mut self, name: &str) -> Result<Bound> {
        if let Some((_, bound)) = self.scope.iter().rev().find(|(n, _)| n == name) {
            return Ok(*bound);
        }
        Err(ExpressionError::Unknown(if name == "row" {
            "row is used with a column's name in quotes, such as row['First']".to_owned()
        } else {
            format!("there is no '{name}': text stands in quotes, and a cell is row['{name}']")
        }))
    }

    /// `row['Name']`, `'Name' in row`.
    fn row_access(&mut self, call: &CallExpr) -> Option<Bound> {
        let [left, right] = call.args.as_slice() else { return None };
        let (row, key, optional) = match call.func_name.as_str() {
            operators::INDEX => (left, right, false),
            operators::IN => (right, left, true),
            _ => return None,
        };
        match &key.expr {
            Expr::Literal(LiteralValue::String(name)) if self.is_row(row) => Some(self.column(name.inner(), optional)),
            _ => None,
        }
    }

    fn call(&mut self, call: &CallExpr) -> Result<Bound> {
        if let Some(bound) = self.row_access(call) {
            return Ok(bound);
        }
        let name = call.func_name.as_str();
        let operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !operator && !FUNCTIONS.contains(&name) {
            let near =
                FUNCTIONS.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
            let near = near.filter(|near| strsim::jaro_winkler(near, name) > 0.8);
            let hint = near.map(|near| format!(": did you mean {near}()?")).unwrap_or_default();
            return Err(ExpressionError::Unknown(format!("there is no function {name}(){hint}")));
        }
        let mut bounds = Vec::new();
        for argument in call.target.iter().map(|target| &**target).chain(&call.args) {
            bounds.push(self.expression(argument)?);
        }
        let total = bounds.iter().fold(0_u64, |sum, bound| sum.saturating_add(bound.total));
        let count = bounds.iter().fold(0_u64, |sum, bound| sum.saturating_add(bound.count));
        self.spend(total);
        match name {
            "matches" => self.pattern(call, total),
            "size" | "contains" | "startsWith" | "endsWith" | "int" | "uint" | "double" => Ok(ONE),
            "split" => Ok(Bound { count: total, total }),
            "replace" => {
                let (from, to) = (bounds.first().map_or(1, |b| b.total), bounds.last().map_or(1, |b| b.total));
                Ok(text(from.saturating_add(from.saturating_add(1).saturating_mul(to)).min(64 << 10)))
            }
            "string" => Ok(text(total.saturating_add(64))),
            operators::EQUALS | operators::NOT_EQUALS | operators::LESS | operators::LESS_EQUALS => Ok(ONE),
            operators::GREATER | operators::GREATER_EQUALS | operators::IN => Ok(ONE),
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => Ok(ONE),
            _ => Ok(Bound { count, total }),
        }
    }

    /// A pattern is a literal, so that it is compiled once and found wrong here.
    fn pattern(&mut self, call: &CallExpr, total: u64) -> Result<Bound> {
        let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|last| &last.expr) else {
            return Err(ExpressionError::Unknown("the pattern of matches() is a text in quotes".to_owned()));
        };
        let pattern = pattern.inner().to_owned();
        let regex = RegexBuilder::new(&pattern).size_limit(MAX_PATTERN).dfa_size_limit(4 * MAX_PATTERN).build();
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                ExpressionError::TooCostly("the pattern of matches() is too large: use smaller repetitions".to_owned())
            }
            error => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                ExpressionError::Syntax(format!("not a pattern that matches() can take: {reason}"))
            }
        })?;
        self.spend(total.saturating_mul(4));
        self.patterns.insert(pattern, regex);
        Ok(ONE)
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Result<Bound> {
        let range = self.expression(&comprehension.iter_range)?;
        let literal = matches!(comprehension.iter_range.expr, Expr::List(_) | Expr::Map(_));
        // One element may hold all the text: counted evenly only on the outermost level, where work is linear in it.
        let count = if literal || self.depth == 0 { range.count } else { range.count.max(CELL) };
        let element = text(if self.depth == 0 { (range.total / count.max(1)).saturating_add(1) } else { range.total });
        let init = self.expression(&comprehension.accu_init)?;
        let outside = self.times;
        self.times = self.times.saturating_mul(count.max(1));
        self.depth += 1;
        let scope = self.scope.len();
        self.scope.push((comprehension.accu_var.clone(), init));
        if let Some(second) = &comprehension.iter_var2 {
            self.scope.push((second.clone(), element));
        }
        self.scope.push((comprehension.iter_var.clone(), element));
        self.expression(&comprehension.loop_cond)?;
        let step = self.expression(&comprehension.loop_step)?;
        // What one step adds, as often as there are steps; and the result is copied in each.
        let total = step.total.saturating_mul(count.max(1));
        let steps = Bound { count: step.count.saturating_mul(count), total };
        self.spend(steps.count);
        self.times = outside;
        self.depth -= 1;
        self.scope.truncate(scope);
        self.scope.push((comprehension.accu_var.clone(), steps));
        let result = self.expression(&comprehension.result)?;
        self.scope.truncate(scope);
        Ok(result)
    }
}

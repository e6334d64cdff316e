//! The one validation for all ways in: text → documents with positions → schema, rules, and what needs code.

mod across;
mod check;
mod config;
pub mod document;
pub mod problem;
mod rules;
mod scalar;
mod schema;
mod semantic;
mod tree;
mod wording;

pub use self::{
    check::{Checked, CheckedSync, check, check_each},
    config::{ConfigMap, SecretValues},
    document::{Document, documents},
    problem::{Position, Problem},
};

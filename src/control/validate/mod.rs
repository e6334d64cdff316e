//! The one validation for all ways in: text → documents with positions → schema, rules, and what needs code.

pub mod document;
pub mod problem;
mod scalar;
mod tree;

//! Names of columns: in statements, and in messages about one that isn't there.

use crate::model::column::Dialect;

/// A name as an SQL identifier, used exactly as written: standard SQL doubles the quote.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name as an identifier of this database.
pub fn quoted_as(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Standard => quoted(name),
        Dialect::Mysql => format!("`{}`", name.replace('`', "``")),
    }
}

/// ` (is "e-mail" meant?)` with the known name that is most like one of those wanted, ignoring case; empty where none is
/// like them.
pub fn meant<'a>(wanted: &[&str], known: impl Iterator<Item = &'a str>) -> String {
    let likeness = |known: &str| {
        let known = known.to_lowercase();
        wanted.iter().map(|name| strsim::jaro_winkler(&name.to_lowercase(), &known)).fold(0.0, f64::max)
    };
    known
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, known)| format!(" (is \"{known}\" meant?)"))
}

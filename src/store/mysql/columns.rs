//! The table's columns, as the catalogue has them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    session::{Session, text, word},
    sql::{assigned, literal},
    types::{self, CatalogType},
    users::Users,
};
use crate::{
    model::column::{Column, ColumnDefault, ColumnType},
    ports::StoreError,
};

/// A column with what only the server knows of it.
pub struct Described {
    /// The model's words; a constant default is still to be evaluated.
    pub column: Column,
    /// The text of the default, where there may be a constant one, as an expression.
    pub default: Option<String>,
    /// Its type as in `create table`, with character set and collation: for a column of the same kind.
    pub declared: String,
    /// Character set and collation, of text.
    pub collation: Option<(String, String)>,
}

/// The table's columns in its own order.
pub async fn columns(session: &mut Session, users: &Users) -> Result<Vec<Described>, StoreError> {
    let json = json_checks(session, users).await?;
    let sql = format!(
        "select column_name, column_type, data_type, character_maximum_length, datetime_precision, character_set_name, \
         collation_name, is_nullable, column_default, extra, coalesce(generation_expression, '') \
         from information_schema.columns where {} order by ordinal_position",
        users.named("")
    );
    let rows = session.rows("read the columns", "", &sql).await?;
    let mariadb = session.mariadb;
    Ok(rows
        .iter()
        .map(|row| {
            let [name, full, data_type] = [0, 1, 2].map(|at| word(row, at));
            let number = |at| text(row, at).and_then(|n| n.parse::<u32>().ok());
            let kind = types::column_type(&CatalogType {
                name: &data_type,
                full: &full,
                length: number(3),
                digits: number(4).and_then(|digits| u8::try_from(digits).ok()),
                collation: text(row, 6),
                json: json.contains(&name),
            });
            let extra = word(row, 9).to_uppercase();
            let generated = !word(row, 10).is_empty();
            let preset = text(row, 8).filter(|_| !generated);
            let expression = preset.map(|preset| expression(mariadb, &kind, &data_type, &extra, preset));
            let expression = expression.filter(|text| !text.eq_ignore_ascii_case("null"));
            let automatic = extra.contains("AUTO_INCREMENT");
            let default = if (expression.is_some() || automatic) && !generated {
                ColumnDefault::Expression
            } else {
                ColumnDefault::None
            };
            let collation = text(row, 5).zip(text(row, 6)).map(|(set, name)| (set.to_owned(), name.to_owned()));
            let declared = match &collation {
                Some((set, name)) => format!("{full} character set {set} collate {name}"),
                None => full.clone(),
            };
            let nullable = text(row, 7) == Some("YES");
            Described {
                column: Column { name, sql_type: full, kind, nullable, default, generated },
                default: expression.filter(|_| !automatic),
                declared,
                collation,
            }
        })
        .collect())
}

/// The default as an expression. MariaDB prints one; MySQL prints the bare value, and says where it is an expression.
fn expression(mariadb: bool, kind: &ColumnType, data_type: &str, extra: &str, preset: &str) -> String {
    let bare =
        !mariadb && !extra.contains("DEFAULT_GENERATED") && !preset.to_uppercase().starts_with("CURRENT_TIMESTAMP");
    match kind {
        _ if !bare => preset.to_owned(),
        // `b'1'`, and `0xFF` for bytes.
        _ if data_type == "bit" || (*kind == ColumnType::Bytes && preset.starts_with("0x")) => preset.to_owned(),
        _ => literal(preset),
    }
}

/// MariaDB's JSON is text with a check: the columns that have it.
async fn json_checks(session: &mut Session, users: &Users) -> Result<BTreeSet<String>, StoreError> {
    if !session.mariadb {
        return Ok(BTreeSet::new());
    }
    let sql = format!(
        "select constraint_name from information_schema.check_constraints where constraint_schema = {} \
         and table_name = {} and level = 'Column' and check_clause like 'json_valid(%'",
        literal(&users.schema),
        literal(&users.name)
    );
    Ok(session.rows("read the checks", "", &sql).await?.iter().map(|row| word(row, 0)).collect())
}

/// Lets the server evaluate the defaults that are constants.
pub async fn evaluate(session: &mut Session, columns: &mut [Described]) -> Result<(), StoreError> {
    for described in columns.iter_mut() {
        let Some(expression) = described.default.as_deref().filter(|text| is_literal(text)) else { continue };
        let kind = &described.column.kind;
        let what = format!("evaluate the default of column {}", described.column.name);
        let sql = format!("select {}", types::selected(kind, &format!("({expression})")));
        let row = session.row(&what, "", &sql).await?;
        let Some(printed) = row.as_ref().and_then(|row| super::session::bytes(row, 0)) else { continue };
        let Ok(canonical) = types::canonical(kind, printed) else { continue };
        described.column.default = ColumnDefault::Constant(canonical.into_owned());
    }
    Ok(())
}

/// Whether an expression, as the catalogue prints it, is one literal.
fn is_literal(expression: &str) -> bool {
    let text = expression.trim();
    let quoted = text.strip_prefix(['b', 'B', 'x', 'X']).unwrap_or(text);
    if let Some(rest) = quoted.strip_prefix('\'') {
        return rest.strip_suffix('\'').is_some_and(|inner| !inner.replace("''", "").contains('\''));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let number = text.strip_prefix('-').unwrap_or(text);
    let word = ["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(text));
    word || number.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && number.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E'))
}

/// The columns of each unique index that covers every row, in the order of the primary key first. An index of a part of a
/// column counts: what is unique in its beginning is unique.
pub async fn unique(session: &mut Session, users: &Users) -> Result<Vec<Vec<String>>, StoreError> {
    let sql = format!(
        "select index_name, column_name from information_schema.statistics where {} and non_unique = 0 \
         order by index_name <> 'PRIMARY', index_name, seq_in_index",
        users.named("")
    );
    let mut indexes: Vec<(String, Option<Vec<String>>)> = Vec::new();
    for row in session.rows("read the unique keys", "", &sql).await? {
        let name = word(&row, 0);
        if indexes.last().is_none_or(|(last, _)| *last != name) {
            indexes.push((name, Some(Vec::new())));
        }
        let Some((_, columns)) = indexes.last_mut() else { continue };
        // An index of an expression has no column there.
        match (text(&row, 1), columns.as_mut()) {
            (Some(column), Some(columns)) => columns.push(column.to_owned()),
            _ => *columns = None,
        }
    }
    Ok(indexes.into_iter().filter_map(|(_, columns)| columns).collect())
}

/// The columns by which rows of the table refer to rows of the same table, each with the column that it refers to.
pub async fn references_itself(session: &mut Session, users: &Users) -> Result<BTreeMap<String, String>, StoreError> {
    let (schema, name) = (literal(&users.schema), literal(&users.name));
    let sql = format!(
        "select column_name, referenced_column_name from information_schema.key_column_usage where {} and referenced_table_schema = {schema} \
         and referenced_table_name = {name}",
        users.named("")
    );
    let rows = session.rows("read the foreign keys", "", &sql).await?;
    Ok(rows.iter().map(|row| (word(row, 0), word(row, 1))).collect())
}

/// The predicate of the scope on the table `alias`, or `true`: each column compares as it is declared.
pub fn scope_sql(alias: &str, scope: &BTreeMap<String, String>, columns: &[Described]) -> String {
    let terms: Vec<String> = scope
        .iter()
        .map(|(name, value)| {
            let kind = columns.iter().find(|c| c.column.name == *name).map(|c| &c.column.kind);
            let literal = kind.map_or_else(|| literal(value), |kind| scope_value(kind, value));
            format!("{alias}.{} = {literal}", super::sql::quote(name))
        })
        .collect();
    if terms.is_empty() { "true".to_owned() } else { terms.join(" and ") }
}

/// A scope's value, as the manifest writes it, as a literal of its column's type.
pub fn scope_value(kind: &ColumnType, text: &str) -> String {
    match crate::sync::value::canonical(kind, text) {
        Ok(canonical) => super::sql::value(kind, &canonical),
        Err(_) => literal(text),
    }
}

/// The expression that gives a column its staged value.
pub fn assignment(described: &Described, staged: &str) -> String {
    assigned(&described.column.kind, staged)
}

#[cfg(test)]
mod tests {
    use super::is_literal;

    #[test]
    fn only_a_literal_is_a_constant() {
        for (expression, expected) in [
            ("'en'", true),
            ("'it''s'", true),
            ("''", true),
            ("0", true),
            ("1.50", true),
            ("-1", true),
            ("b'1'", true),
            ("0xFF", true),
            ("true", true),
            ("'2020-01-01 00:00:00'", true),
            ("current_timestamp()", false),
            ("uuid()", false),
            ("concat('a','b')", false),
            ("'a' + 'b'", false),
            ("1 + 2", false),
            ("nextval(`t`.`s`)", false),
            ("", false),
        ] {
            assert_eq!(is_literal(expression), expected, "{expression}");
        }
    }
}

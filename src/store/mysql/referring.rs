//! Users to add who refer to nobody (a manager who is neither in the table nor comes with them), found by one look instead of
//! by trying: the server checks row by row, and names one row at a time.

use std::collections::{HashMap, HashSet};

use super::{
    scan,
    transaction::{KEYS, Transaction},
};
use crate::{
    model::rows::Rows,
    ports::{Refused, StoreError, Why},
    store::referring::{self, References},
};

/// The users who refer to nobody, and those who refer to them, and so on; in order.
pub async fn to_nobody(on: &mut Transaction, users: &Rows) -> Result<Vec<Refused>, StoreError> {
    let cells: Vec<(usize, usize)> = on
        .layout
        .insert_columns()
        .enumerate()
        .filter(|(_, (column, _))| on.to_keys.contains(column))
        .map(|(cell, (column, _))| (cell, column))
        .collect();
    if cells.is_empty() || users.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys = Rows::new(1);
    users.iter().for_each(|row| keys.push(row.get(0)));
    let keys = forms(on, keys).await?;
    let here: HashMap<&str, usize> =
        keys.iter().enumerate().map(|(place, row)| (row.get(0).unwrap_or_default(), place)).collect();

    // Who refers to whom among these; and who to somebody that the table may have.
    let mut found = References::default();
    let mut open = Vec::new();
    for &(cell, column) in &cells {
        let mut references = Rows::new(1);
        users.iter().for_each(|row| references.push(row.get(cell)));
        let references = forms(on, references).await?;
        for place in 0..users.len() {
            let Some(reference) = references.row(place).get(0) else { continue };
            match here.get(reference) {
                Some(&above) => found.refers(place, Some(above), column),
                None => open.push((place, cell, column, reference.to_owned())),
            }
        }
    }
    let there = there(on, users, &open).await?;
    for (place, _, column, _) in open.iter().filter(|(.., form)| !there.contains(form)) {
        found.refers(*place, None, *column);
    }
    let message = |column: usize| referring::message(&on.layout.columns[column].column.name);
    let refused = found.without_anybody().into_iter();
    Ok(refused.map(|(index, column)| Refused { index, message: message(column), why: Why::Rule }).collect())
}

/// The forms of those referred to who are in the table.
async fn there(
    on: &mut Transaction,
    users: &Rows,
    open: &[(usize, usize, usize, String)],
) -> Result<HashSet<String>, StoreError> {
    let kind = [on.layout.key().kind.clone()];
    let mut asked = HashSet::new();
    let named: Vec<&str> = open
        .iter()
        .filter(|(.., form)| asked.insert(form.as_str()))
        .filter_map(|(place, cell, ..)| users.row(*place).get(*cell))
        .collect();
    let mut found = Rows::new(1);
    for chunk in named.chunks(KEYS) {
        let sql = on.statements.present(chunk.iter().copied());
        for row in on.session.rows("look for users referred to", &on.grant, &sql).await? {
            scan::cells(&row, &kind, |cell| found.push(cell))?;
        }
    }
    let found = forms(on, found).await?;
    Ok(found.iter().filter_map(|row| row.get(0).map(str::to_owned)).collect())
}

/// Keys as they compare.
async fn forms(on: &mut Transaction, keys: Rows) -> Result<Rows, StoreError> {
    match &on.collation {
        Some(collation) => collation.forms(&mut on.session, &keys).await,
        None => Ok(keys),
    }
}

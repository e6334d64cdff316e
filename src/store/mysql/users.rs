//! The users' table: which one is meant, and that it can be written row by row in a transaction.

use super::{
    session::{Session, text, word},
    sql::{literal, quote},
};
use crate::{ports::StoreError, store::TableName};

/// The table of the users, found.
#[derive(Clone, Debug)]
pub struct Users {
    /// Its database.
    pub schema: String,
    /// Its name in the database.
    pub name: String,
    /// The database that holds the ledger.
    pub ledger_schema: String,
}

impl Users {
    /// As SQL names it.
    pub fn sql(&self) -> String {
        self.beside(&self.name)
    }

    /// A table beside it, as SQL names it.
    pub fn beside(&self, name: &str) -> String {
        in_schema(&self.schema, name)
    }

    /// A table of the ledger, as SQL names it.
    pub fn ledger(&self, name: &str) -> String {
        in_schema(&self.ledger_schema, name)
    }

    /// As the ledger names it: by its name alone where it stands beside it.
    pub fn in_ledger(&self) -> String {
        if self.ledger_schema == self.schema { self.name.clone() } else { self.sql() }
    }

    /// The condition that finds it in a table of `information_schema` (`alias.`, or nothing): by the name, which the server
    /// looks up, and exactly so, since names compare there without case.
    pub fn named(&self, alias: &str) -> String {
        let (schema, name) = (literal(&self.schema), literal(&self.name));
        format!(
            "{alias}table_schema = {schema} and {alias}table_name = {name} and cast({alias}table_schema as binary) = \
             cast({schema} as binary) and cast({alias}table_name as binary) = cast({name} as binary)"
        )
    }

    /// The statement that allows to read.
    pub fn grant_read(&self, account: &str) -> String {
        format!("grant select on {} to {account}", self.sql())
    }

    /// The statements that allow to write: the least that a run needs.
    pub fn grant_write(&self, account: &str) -> String {
        format!(
            "grant select, insert, update, delete on {} to {account}; grant create temporary tables on {}.* to {account}",
            self.sql(),
            quote(&self.schema)
        )
    }
}

/// A table of a database, as SQL names it.
pub fn in_schema(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

/// Finds the table: `database.name`, or a name in the database of the URL; both exactly as written.
pub async fn find(session: &mut Session, table: &TableName) -> Result<Users, StoreError> {
    let TableName { table, ledger_schema } = table;
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (schema, name),
        None => (session.line.name.database.as_str(), table.as_str()),
    };
    let ledger_schema = ledger_schema.as_deref().unwrap_or(schema).to_owned();
    let users = Users { schema: schema.to_owned(), name: name.to_owned(), ledger_schema };
    let sql = format!(
        "select t.table_type, t.engine, e.transactions, e.savepoints from information_schema.tables t \
         left join information_schema.engines e on e.engine = t.engine where {}",
        users.named("t.")
    );
    let Some(row) = session.row("look for the table", "", &sql).await? else {
        return Err(missing(session, table, &users).await);
    };
    let kind = word(&row, 0);
    let refused = |why: String| Err(StoreError::Invalid(format!("{}: {table} is {why}", session.line.name)));
    if kind.contains("VIEW") {
        return refused(
            "a view: rows can't be locked and compared there. Give target.table the table behind it".to_owned(),
        );
    }
    if !matches!(kind.as_str(), "BASE TABLE" | "SYSTEM VERSIONED") {
        return refused(format!("no table that lasts ({}): give target.table another one", kind.to_lowercase()));
    }
    if (text(&row, 2), text(&row, 3)) != (Some("YES"), Some("YES")) {
        return refused(format!(
            "kept by the engine {}, which has no transactions: a run that fails would leave half of its changes. Let the \
             owner run: alter table {} engine = InnoDB",
            word(&row, 1),
            users.sql()
        ));
    }
    Ok(users)
}

/// The words for a table that is not to be seen: it is not there, or not for this user.
async fn missing(session: &mut Session, table: &str, users: &Users) -> StoreError {
    let look = format!("select 1 from {} limit 0", users.sql());
    let grant = users.grant_read(&session.account);
    match session.run("read the table", &grant, &look).await {
        Err(denied @ StoreError::Denied(_)) => return denied,
        Err(lost @ StoreError::Unreachable(_)) => return lost,
        _ => {}
    }
    let sql = "select if(table_schema = database(), table_name, concat(table_schema, '.', table_name)), table_name \
        from information_schema.tables where table_type = 'BASE TABLE' \
        and table_schema not in ('mysql', 'sys', 'information_schema', 'performance_schema') \
        and table_name not like 'usersync|_%' escape '|' \
        order by table_schema <> database(), 1 limit 1000";
    let tables = match session.rows("list the tables", "", sql).await {
        Ok(tables) => tables,
        Err(e) => return e,
    };
    let wanted = users.name.to_lowercase();
    let similar: Vec<String> = tables
        .iter()
        .filter(|row| {
            let other = word(row, 1).to_lowercase();
            other == wanted || strsim::jaro_winkler(&other, &wanted) > 0.85 || other.contains(&wanted)
        })
        .map(|row| word(row, 0))
        .take(5)
        .collect();
    let hint = if similar.is_empty() { String::new() } else { format!(" There is {}.", similar.join(", ")) };
    StoreError::Invalid(format!(
        "{}: table {table} doesn't exist (names are used exactly as written, case included).{hint} Give its name in \
         target.table, or create it, for example: create table {} (id varchar(190) primary key, email varchar(190))",
        session.line.name,
        users.sql()
    ))
}

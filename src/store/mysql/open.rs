//! Who may write: the ledger made, a claim held against the others and registered, an attempt begun.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlRow;

use super::{
    columns::{self, Described},
    keys::Collation,
    ledger::{MIGRATIONS, SYNCS, exists, forget_old_sql, grant, json},
    session::{Session, text, word},
    sql::literal,
    users::{Users, in_schema},
};
use crate::{
    api::Action,
    model::{
        job::SyncId,
        ledger::{Claim, Fence},
        rows::Rows,
    },
    ports::StoreError,
    store::claims::{self, Place},
    sync::value,
};

/// What made the ledger as it is, in order; a released step never changes. A statement that makes a table commits by itself
/// here: each must do no harm when it comes twice. Texts compare as they are.
const STEPS: &[&[&str]] = &[&[
    "create table if not exists {schema}.usersync_ledger ( \
        id bigint not null auto_increment primary key, \
        instance varchar(100) not null, namespace varchar(100) not null, sync varchar(253) not null, \
        run varchar(253) not null, file_name text not null, file_size bigint unsigned not null, \
        file_mtime varchar(64) not null, sha256 varchar(64) not null, spec varchar(64) not null, \
        result varchar(64) not null, counts text not null, report varchar(64) not null, open_steps varchar(255) not null, \
        committed datetime(6) not null, unique (instance, namespace, sync, run)) {engine}",
    "create table if not exists {schema}.usersync_syncs ( \
        instance varchar(100) not null, namespace varchar(100) not null, sync varchar(253) not null, \
        users varchar(64) not null, scope text not null, action varchar(16) not null, attempt bigint not null, \
        updated datetime(6) not null, primary key (instance, namespace, sync)) {engine}",
    "create table if not exists {schema}.usersync_deactivated ( \
        id bigint not null auto_increment primary key, \
        instance varchar(100) not null, namespace varchar(100) not null, sync varchar(253) not null, \
        users varchar(64) not null, user_key longtext not null, digest binary(32) not null, since datetime(6) not null, \
        unique (digest), index (instance, namespace, sync, users)) {engine}",
]];

const ENGINE: &str = "engine = InnoDB row_format = dynamic character set utf8mb4 collate utf8mb4_bin";

/// Makes what is missing of the ledger.
async fn migrate(session: &mut Session, users: &Users) -> Result<(), StoreError> {
    let right = grant(users, &session.account);
    let table = users.ledger(MIGRATIONS);
    if !named(session, users, MIGRATIONS).await? {
        let sql = format!(
            "create table if not exists {table} (step integer primary key, made datetime(6) not null) {ENGINE}"
        );
        session.run("make the ledger", &right, &sql).await?;
    }
    let row = session.row("read the ledger", &right, &format!("select coalesce(max(step), 0) from {table}")).await?;
    let made = row.as_ref().and_then(|row| text(row, 0)).and_then(|step| step.parse::<usize>().ok()).unwrap_or(0);
    for (step, statements) in (1..).zip(STEPS).skip(made) {
        for sql in *statements {
            let sql = sql.replace("{schema}", &super::sql::quote(&users.ledger_schema)).replace("{engine}", ENGINE);
            session.run("make the ledger", &right, &sql).await?;
        }
        let sql = format!("insert ignore into {table} (step, made) values ({step}, utc_timestamp(6))");
        session.run("make the ledger", &right, &sql).await?;
    }
    Ok(())
}

async fn named(session: &mut Session, users: &Users, name: &str) -> Result<bool, StoreError> {
    let sql = format!(
        "select 1 from information_schema.tables where table_schema = {} and table_name = {}",
        literal(&users.ledger_schema),
        literal(name)
    );
    Ok(session.row("look for the ledger", "", &sql).await?.is_some())
}

/// The databases with ledgers on this server that this user may see, the sync's own first if it is there.
async fn ledgers(session: &mut Session, users: &Users) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "select table_schema from information_schema.tables where table_name = {} and table_type = 'BASE TABLE' \
         order by table_schema <> {}, 1",
        literal(SYNCS),
        literal(&users.ledger_schema)
    );
    Ok(session.rows("look for ledgers", "", &sql).await?.iter().map(|row| word(row, 0)).collect())
}

/// Claims standing in the ledger of a database, the sync's own among them.
async fn standing(session: &mut Session, users: &Users, schema: &str) -> Result<Vec<Claim>, StoreError> {
    let right = grant(users, &session.account);
    let sql = format!(
        "select instance, namespace, sync, users, scope, action from {} order by instance, namespace, sync",
        in_schema(schema, SYNCS)
    );
    let rows = match session.rows("read the claims", &right, &sql).await {
        // Another installation's: not for us, on its way out, or of another form.
        Err(StoreError::Denied(_) | StoreError::Invalid(_)) if schema != users.ledger_schema => return Ok(Vec::new()),
        rows => rows?,
    };
    let claims = rows.iter().map(|row| claim(row, schema)).collect::<Result<_, _>>();
    claims.map_err(|e| session.line.error("read the claims", &right, &e))
}

/// The table is named with its database.
fn claim(row: &MySqlRow, schema: &str) -> Result<Claim, sqlx::Error> {
    let table = word(row, 3);
    Ok(Claim {
        sync: SyncId { instance: word(row, 0), namespace: word(row, 1), name: word(row, 2) },
        table: if table.starts_with('`') { table } else { in_schema(schema, &table) },
        scope: json(&word(row, 4))?,
        action: json::<Action>(&format!("\"{}\"", word(row, 5)))?,
    })
}

/// Whether the claim could stand beside the others, and the sync's ledger is the one that it had.
pub async fn check(session: &mut Session, users: &Users, claim: &Claim) -> Result<(), StoreError> {
    let claim = Claim { table: users.sql(), ..claim.clone() };
    let columns = columns::columns(session, users).await?;
    let own = as_compared(session, &columns, &claim, users).await?;
    for schema in ledgers(session, users).await? {
        let standing = standing(session, users, &schema).await?;
        let syncs = in_schema(&schema, SYNCS);
        let mut compared = Vec::with_capacity(standing.len());
        for other in &standing {
            compared.push(as_compared(session, &columns, other, users).await?);
        }
        let place = Place {
            database: &session.line.name,
            table: &users.name,
            own: &users.ledger_schema,
            schema: &schema,
            syncs: &syncs,
        };
        claims::judge(&own, &standing, &compared, &place)?;
    }
    Ok(())
}

/// The claim with the scope's values as the server compares them: `01` and `1` in a column of numbers are one scope, and so
/// are `ACME` and `acme` where the column's collation takes them for equal.
async fn as_compared(
    session: &mut Session,
    columns: &[Described],
    claim: &Claim,
    users: &Users,
) -> Result<Claim, StoreError> {
    let mut scope: BTreeMap<String, String> = claim.scope.clone();
    for (name, text) in &mut scope {
        let Some(column) = columns.iter().find(|c| c.column.name == *name && claim.table == users.sql()) else {
            continue;
        };
        if let Ok(canonical) = value::canonical(&column.column.kind, text) {
            *text = canonical.into_owned();
        }
        if let Some(collation) = Collation::learn(session, column).await? {
            let mut one = Rows::new(1);
            one.push(Some(text));
            let forms = collation.forms(session, &one).await?;
            *text = forms.row(0).get(0).unwrap_or_default().to_owned();
        }
    }
    Ok(Claim { scope, ..claim.clone() })
}

/// The ledger made, then one short transaction: the claim registered, old rows forgotten, a new attempt begun.
pub async fn open(session: &mut Session, users: &Users, claim: &Claim) -> Result<Fence, StoreError> {
    let right = grant(users, &session.account);
    // Before anything is made, which no rollback would remove. What is there already is looked at below, under the lock.
    if !exists(session, users).await? {
        check(session, users, claim).await?;
    }
    migrate(session, users).await?;
    session.run("open the ledger", "", "start transaction").await?;
    // One at a time: two claims that stand against each other must not both find nothing.
    let lock = format!("select step from {} where step = 1 for update", users.ledger(MIGRATIONS));
    session.row("lock the ledger", &right, &lock).await?;
    check(session, users, claim).await?;
    session.run("forget old runs", &right, &forget_old_sql(users)).await?;
    let scope = serde_json::to_string(&claim.scope).unwrap_or_else(|_| "{}".to_owned());
    let action = format!("{:?}", claim.action);
    let SyncId { instance, namespace, name } = &claim.sync;
    let key = [instance, namespace, name].map(|text| literal(text));
    let values = [&users.in_ledger(), &scope, &action].map(|text| literal(text));
    let [users_sql, scope_sql, action_sql] = &values;
    let sql = format!(
        "insert into {syncs} (instance, namespace, sync, users, scope, action, attempt, updated) \
         values ({}, {}, 1, utc_timestamp(6)) on duplicate key update users = {users_sql}, scope = {scope_sql}, \
         action = {action_sql}, attempt = attempt + 1, updated = utc_timestamp(6)",
        key.join(", "),
        values.join(", "),
        syncs = users.ledger(SYNCS)
    );
    session.run("register this sync", &right, &sql).await?;
    let sql = format!(
        "select attempt from {} where instance = {} and namespace = {} and sync = {}",
        users.ledger(SYNCS),
        key[0],
        key[1],
        key[2]
    );
    let row = session.row("register this sync", &right, &sql).await?;
    let attempt = row.as_ref().and_then(|row| text(row, 0)).and_then(|attempt| attempt.parse().ok()).unwrap_or(0);
    session.run("open the ledger", &right, "commit").await?;
    Ok(Fence { sync: claim.sync.clone(), attempt })
}

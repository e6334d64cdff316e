//! The target part of a job: which database, from which URL.

use super::{
    JobProblem,
    bounds::{Place, decoded, file_place},
    secrets::Reader,
};
use crate::{
    api::{reference::DatabaseUrl, usersync::target::TargetSpec},
    model::{
        job::{Bounds, Database, Target, TargetTimeouts},
        secret::Secret,
    },
};

const FIELD: &str = "spec.target.url";
/// A URL that stands in the manifest itself.
pub(super) const URL_VALUE: &str = "spec.target.url.value";

/// Where users are, and what the URL weakens.
pub fn target(
    spec: Option<&TargetSpec>,
    secrets: &Reader<'_>,
    bounds: &Bounds,
) -> Result<(Target, Vec<String>), Vec<JobProblem>> {
    let embedded = TargetSpec::default();
    let spec = spec.unwrap_or(&embedded);
    let (database, warnings) = match &spec.url {
        None => (Database::Embedded, Vec::new()),
        Some(url) => {
            let (field, url) = url_text(url, secrets).map_err(|problem| vec![problem])?;
            let database = database(&field, &url, secrets.namespace, bounds).map_err(|problem| vec![problem])?;
            (database, weakened(url.expose()))
        }
    };
    // Where the manifest itself says which file, it was said already.
    if !is_file(spec) && matches!(database, Database::Sqlite { .. }) && !useless(spec).is_empty() {
        return Err(useless(spec));
    }
    let connected = matches!(database, Database::Postgres(_) | Database::Mysql(_));
    let bundle = spec
        .ca_bundle
        .as_ref()
        .filter(|_| connected)
        .map(|bundle| secrets.bundle("spec.target.caBundle", bundle))
        .transpose();
    let ca_bundle = bundle.map_err(|problem| vec![problem])?;
    let timeouts = TargetTimeouts {
        connect: spec.timeouts.connect.get(),
        statement: spec.timeouts.statement.get(),
        lock: spec.timeouts.lock.get(),
    };
    let target = Target {
        database,
        table: spec.table.clone(),
        ledger_schema: spec.ledger_schema.clone(),
        scope: spec.scope.clone(),
        protected: spec.protected_columns.clone(),
        ca_bundle,
        timeouts,
    };
    Ok((target, warnings))
}

/// Whether the manifest itself says that users are in an SQLite file.
pub(super) fn is_file(spec: &TargetSpec) -> bool {
    spec.url.as_ref().is_none_or(|url| sqlite_file(url).is_some())
}

/// What is of no use where users are in an SQLite file.
pub(super) fn useless(spec: &TargetSpec) -> Vec<JobProblem> {
    [
        (spec.ledger_schema.is_some(), "ledgerSchema", "has no schemas: its ledger is in the same file"),
        (spec.ca_bundle.is_some(), "caBundle", "is a file: there is no connection to verify"),
    ]
    .into_iter()
    .filter(|(given, ..)| *given)
    .map(|(_, field, why)| {
        JobProblem::new(format!("spec.target.{field}"), format!("an SQLite database {why}. Leave this out"))
    })
    .collect()
}

/// The URL, and the field it comes from.
fn url_text(url: &DatabaseUrl, secrets: &Reader<'_>) -> Result<(String, Secret), JobProblem> {
    match (&url.secret_key_ref, &url.value) {
        (Some(from), None) => {
            let field = format!("{FIELD}.secretKeyRef");
            let what = "the database's URL, like postgres://USER:PASSWORD@HOST/DATABASE";
            let secret = secrets.required(&field, from, what)?;
            Ok((field, Secret::new(secret.expose().trim())))
        }
        (None, Some(value)) => Ok((URL_VALUE.to_owned(), Secret::new(value.trim()))),
        _ => Err(JobProblem::new(FIELD, "give exactly one of secretKeyRef and value")),
    }
}

/// The database that a URL means.
fn database(field: &str, url: &Secret, namespace: &str, bounds: &Bounds) -> Result<Database, JobProblem> {
    match scheme(field, url.expose())? {
        Scheme::Postgres => Ok(Database::Postgres(url.clone())),
        Scheme::Mysql => Ok(Database::Mysql(url.clone())),
        Scheme::Sqlite(rest) => {
            let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
            if path.is_empty() || path == ":memory:" {
                return Err(JobProblem::new(field, "name the database's file: sqlite:users.db"));
            }
            let path =
                decoded(path).ok_or_else(|| JobProblem::new(field, "the path of the SQLite file is not UTF-8"))?;
            let Place { path, beneath } =
                file_place(bounds, namespace, &path).map_err(|why| JobProblem::new(field, why))?;
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let url = Secret::new(format!("sqlite:{}{query}", encoded(&path.to_string_lossy())));
            Ok(Database::Sqlite { url, beneath })
        }
    }
}

/// The file of a `sqlite:` URL that stands in the manifest itself.
pub(super) fn sqlite_file(url: &DatabaseUrl) -> Option<String> {
    let Ok(Scheme::Sqlite(rest)) = scheme(FIELD, url.value.as_deref()?.trim()) else { return None };
    decoded(rest.split_once('?').map_or(rest, |(path, _)| path))
}

/// Writes `%`, `?` and `#` so that they mean themselves in a URL's path.
fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

/// What kind of database a URL means.
pub enum Scheme<'a> {
    /// `postgres://`, `postgresql://`
    Postgres,
    /// `mysql://`, `mariadb://`
    Mysql,
    /// `sqlite:` or `sqlite://`, with what follows.
    Sqlite(&'a str),
}

/// The scheme of a database URL; the problem shows nothing behind it.
pub fn scheme<'a>(field: &str, url: &'a str) -> Result<Scheme<'a>, JobProblem> {
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    match scheme.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" if rest.starts_with("//") => Ok(Scheme::Postgres),
        "sqlite" => Ok(Scheme::Sqlite(rest.strip_prefix("//").unwrap_or(rest))),
        "mysql" | "mariadb" if rest.starts_with("//") => Ok(Scheme::Mysql),
        _ => Err(JobProblem::new(
            field,
            "the URL must begin with postgres://, postgresql://, mysql://, mariadb:// or sqlite:",
        )),
    }
}

/// What the URL weakens.
fn weakened(url: &str) -> Vec<String> {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| matches!(*name, "sslmode" | "ssl-mode"))
        .filter_map(|(name, mode)| match mode.to_ascii_lowercase().replace('_', "-").as_str() {
            "disable" | "disabled" | "allow" | "prefer" | "preferred" => Some(("may be read on the way", name, mode)),
            "require" | "required" | "verify-ca" => Some(("may be answered by another server", name, mode)),
            _ => None,
        })
        .map(|(effect, name, mode)| format!("target.url has {name}={mode}: the connection to the database {effect}"))
        .collect()
}

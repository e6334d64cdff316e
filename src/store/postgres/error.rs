//! The database's errors in our words. SQLSTATE codes: PostgreSQL manual, appendix A.

use sqlx::postgres::PgDatabaseError;

use super::name::Name;
use crate::{ports::StoreError, store::bisect::Refusal};

/// PostgreSQL's own part of an error, if it is one.
pub fn database(e: &sqlx::Error) -> Option<&PgDatabaseError> {
    match e {
        sqlx::Error::Database(e) => e.try_downcast_ref::<PgDatabaseError>(),
        _ => None,
    }
}

/// The SQLSTATE code, or nothing.
pub fn code(e: &sqlx::Error) -> &str {
    database(e).map_or("", PgDatabaseError::code)
}

/// A connection that could not be made.
pub fn login(name: &Name, e: &sqlx::Error) -> StoreError {
    let Some(answer) = database(e) else {
        // A certificate that doesn't verify comes as an error of the line.
        let tls = match e {
            sqlx::Error::Tls(why) => Some(why.to_string()),
            sqlx::Error::Io(e) => e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()).map(ToString::to_string),
            _ => None,
        };
        return match tls {
            Some(why) => StoreError::Unreachable(format!(
                "{name}: no TLS connection: {why}. Give the certificate of the authority with \
                 ?sslrootcert=FILE in target.url; ?sslmode=require encrypts without verifying the server"
            )),
            None => StoreError::Unreachable(format!("{name}: no connection: {}", cause(e))),
        };
    };
    let message = answer.message();
    match answer.code() {
        "3D000" => StoreError::Invalid(format!("{name}: {message}. Create it, or correct target.url")),
        code if code.starts_with("28") || code == "42501" => {
            StoreError::Denied(format!("{name}: the login was refused: {message}"))
        }
        _ => StoreError::Unreachable(format!("{name}: no connection: {message}")),
    }
}

/// A statement that failed. `what` completes "can't …"; `grant` is the statement that gives the right to it.
pub fn statement(name: &Name, what: &str, grant: &str, e: &sqlx::Error) -> StoreError {
    let Some(answer) = database(e) else {
        return match e {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
                StoreError::Unreachable(format!("{name}: the connection was lost (can't {what}): {}", cause(e)))
            }
            sqlx::Error::Protocol(why) => {
                StoreError::Unreachable(format!("{name}: the connection is out of step (can't {what}): {why}"))
            }
            _ => StoreError::Failed(format!("{name}: can't {what}: {e}")),
        };
    };
    let message = answer.message();
    let text = format!("{name}: can't {what}: {message}");
    match answer.code() {
        "42501" if grant.is_empty() => StoreError::Denied(text),
        "42501" => StoreError::Denied(format!("{text}. Let the owner run: {grant}")),
        "55P03" => {
            StoreError::Busy(format!("{text}. Somebody else holds the lock for longer than target.timeouts.lock"))
        }
        "40P01" | "40001" => StoreError::Busy(text),
        "57014" => StoreError::Failed(format!("{text}. The limit is target.timeouts.statement")),
        "25006" => StoreError::Invalid(format!("{text}. Give target.url the server that takes writes")),
        "42P01" | "42703" | "3F000" | "3D000" => StoreError::Invalid(text),
        "53100" => StoreError::Unreachable(format!(
            "{text}. The disk of the server is full, or the part of it that it may use: free space on it; nothing of this run was kept"
        )),
        code if code.starts_with("28") => StoreError::Denied(text),
        code if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => {
            StoreError::Unreachable(text)
        }
        code => StoreError::Failed(format!("{text} (SQLSTATE {code})")),
    }
}

/// What the operating system says of a lost line.
fn cause(e: &sqlx::Error) -> String {
    match e {
        sqlx::Error::Io(e) if e.kind() == std::io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        sqlx::Error::Io(e) => e.to_string(),
        other => other.to_string(),
    }
}

/// Whether the database refused rows for what they hold (and not a statement, a right or a lock); with `sensitive`
/// columns among them, no value is repeated.
pub fn refusal(e: &sqlx::Error, sensitive: bool) -> Option<Refusal> {
    let answer = database(e)?;
    let code = answer.code();
    // Values, constraints, views, what triggers raise (they may take classes of their own, from I on), and policies, which have the
    // code of a missing right.
    let raised = code.starts_with(|first| ('I'..='Z').contains(&first)) && !code.starts_with("XX");
    let policed = code == "42501" && answer.routine() == Some("ExecWithCheckOptions");
    if !raised && !policed && !["22", "23", "44"].iter().any(|class| code.starts_with(class)) {
        return None;
    }
    let mut message = answer.message().to_owned();
    if sensitive && code.starts_with("22") {
        // "invalid input syntax for type integer: "…"": the value stands behind the colon.
        message.truncate(message.find(": \"").unwrap_or(message.len()));
    }
    // The details of other codes print the whole row, or another user's.
    if let (false, "23505" | "23503", Some(detail)) = (sensitive, code, answer.detail()) {
        message = format!("{message}: {detail}");
    }
    // A foreign key may wait for a later row, a unique value for a row that gives it up, a trigger for either.
    let unique = matches!(code, "23505" | "23P01");
    Some(Refusal { message, mendable: unique || raised || code == "23503", unique })
}

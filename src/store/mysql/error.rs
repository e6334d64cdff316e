//! The database's errors in our words. Numbers: MySQL's server error reference, and MariaDB's error codes from 1900 and 4000 on.

use sqlx::mysql::MySqlDatabaseError;

use super::name::Name;
use crate::{ports::StoreError, store::bisect::Refusal};

/// The database's own part of an error, if it is one.
fn database(e: &sqlx::Error) -> Option<&MySqlDatabaseError> {
    match e {
        sqlx::Error::Database(e) => e.try_downcast_ref::<MySqlDatabaseError>(),
        _ => None,
    }
}

/// The error's number, or 0.
pub fn number(e: &sqlx::Error) -> u16 {
    database(e).map_or(0, MySqlDatabaseError::number)
}

/// Whether a unique key was broken.
pub fn is_duplicate(e: &sqlx::Error) -> bool {
    matches!(number(e), 1022 | 1062 | 1169 | 1586)
}

/// Whether a row refers to one that is not there, or is referred to.
pub fn is_foreign_key(e: &sqlx::Error) -> bool {
    matches!(number(e), 1216 | 1217 | 1451 | 1452)
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
        return match (tls, e) {
            (Some(why), _) => StoreError::Unreachable(format!(
                "{name}: no TLS connection: {why}. Give the certificate of the authority with \
                 ?ssl-ca=FILE in target.url; ?ssl-mode=REQUIRED encrypts without verifying the server"
            )),
            (None, sqlx::Error::Configuration(_)) => StoreError::Denied(format!(
                "{name}: the server takes this user's password over TLS alone: switch TLS on in the server, and leave \
                 ssl-mode=DISABLED out of target.url"
            )),
            (None, _) => StoreError::Unreachable(format!("{name}: no connection: {}", cause(e))),
        };
    };
    let message = answer.message();
    match answer.number() {
        1049 => StoreError::Invalid(format!("{name}: {message}. Create it, or correct target.url")),
        number if refused(number) => StoreError::Denied(format!("{name}: the login was refused: {message}")),
        _ => StoreError::Unreachable(format!("{name}: no connection: {message}")),
    }
}

/// Wrong password, host not allowed, expired or locked account, no right to the database.
fn refused(number: u16) -> bool {
    matches!(number, 1044 | 1045 | 1130 | 1251 | 1275 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 3955 | 4151)
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
    let text = format!("{name}: can't {what}: {}", answer.message());
    match answer.number() {
        // Table, column, statement, routine: the right is missing.
        1142 | 1143 | 1044 | 1227 | 1370 | 1419 if grant.is_empty() => StoreError::Denied(text),
        1142 | 1143 | 1044 | 1227 | 1370 | 1419 => StoreError::Denied(format!("{text}. Let the owner run: {grant}")),
        1205 | 3572 => {
            StoreError::Busy(format!("{text}. Somebody else holds the lock for longer than target.timeouts.lock"))
        }
        1213 | 1614 => StoreError::Busy(text),
        // MariaDB, where a transaction sees its snapshot only: the row has changed since.
        1020 => StoreError::Stale(text),
        1969 | 3024 => StoreError::Failed(format!("{text}. The limit is target.timeouts.statement")),
        1290 | 1792 | 1836 => StoreError::Invalid(format!("{text}. Give target.url the server that takes writes")),
        // The message quotes the statement, and with it what is in it.
        1064 => {
            StoreError::Failed(format!("{name}: can't {what}: the server doesn't take this version's SQL (error 1064)"))
        }
        1049 | 1051 | 1054 | 1146 | 1932 => StoreError::Invalid(text),
        number if refused(number) => StoreError::Denied(text),
        1021 | 1114 => StoreError::Unreachable(format!(
            "{text}. The disk of the server is full, or the part of it that it may use: free space on it; nothing of this run was kept"
        )),
        // Out of connections or memory; shutting down; killed; the line.
        1023
        | 1037
        | 1038
        | 1040
        | 1041
        | 1053
        | 1077
        | 1152
        | 1158..=1161
        | 1180
        | 1184
        | 1203
        | 1226
        | 1317
        | 1927
        | 4031 => StoreError::Unreachable(text),
        number => StoreError::Failed(format!("{text} (error {number})")),
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
    let (number, state) = (answer.number(), answer.code().unwrap_or_default());
    // Data, constraint, and what a trigger signals; besides, those that have no class of their own.
    let of_rows = matches!(state.get(..2), Some("22" | "23" | "44" | "45"))
        || matches!(number, 1265 | 1292 | 1364 | 1366 | 1411 | 1525 | 1644 | 1764 | 3140 | 3156 | 3819 | 4025);
    if !of_rows {
        return None;
    }
    let message = words(answer.message(), sensitive);
    // A foreign key may wait for a later row, a unique value for a row that gives it up, a trigger for either.
    let unique = is_duplicate(e);
    let mendable = unique || is_foreign_key(e) || number == 1644 || state.starts_with("45");
    Some(Refusal { message, mendable, unique })
}

/// The message without the number of a row in a statement that nobody sees; values stand in it behind a colon or an `entry`.
fn words(message: &str, sensitive: bool) -> String {
    let message = match message.rsplit_once(" at row ") {
        Some((before, row)) if row.bytes().all(|b| b.is_ascii_digit()) => before,
        _ => message,
    };
    if !sensitive {
        return message.to_owned();
    }
    for (begin, end) in [("value: '", "' for "), ("Duplicate entry '", "' for key"), ("value '", "' for ")] {
        if let (Some(from), Some(to)) = (message.find(begin), message.rfind(end))
            && from + begin.len() <= to
        {
            return format!("{} •••{}", message[..from + begin.len() - 2].trim_end_matches(':'), &message[to + 1..]);
        }
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn no_value_is_repeated_beside_sensitive_columns() {
        for (message, open, hidden) in [
            (
                "Duplicate entry 'it's' for key 'email' for key 'x'",
                "Duplicate entry 'it's' for key 'email' for key 'x'",
                "Duplicate entry ••• for key 'x'",
            ),
            (
                "Incorrect integer value: 'secret' for column `t`.`users`.`age` at row 17",
                "Incorrect integer value: 'secret' for column `t`.`users`.`age`",
                "Incorrect integer value ••• for column `t`.`users`.`age`",
            ),
            ("Data too long for column 'n' at row 1", "Data too long for column 'n'", "Data too long for column 'n'"),
            (
                "CONSTRAINT `age_check` failed for `t`.`users`",
                "CONSTRAINT `age_check` failed for `t`.`users`",
                "CONSTRAINT `age_check` failed for `t`.`users`",
            ),
        ] {
            assert_eq!(words(message, false), open);
            assert_eq!(words(message, true), hidden);
        }
    }
}

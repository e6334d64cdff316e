//! What all sources say in the same words. `shown` is the file or folder for people: `sftp://files.example.com/outbox/users.csv`.

use std::{io, time::Duration};

use jiff::Timestamp;

use crate::{model::file::Stamp, ports::SourceError};

/// The file is gone.
pub fn missing(shown: &str) -> SourceError {
    SourceError::Missing(format!("{shown}: the file is not there any more. Somebody moved or deleted it."))
}

/// The name to move to is taken.
pub fn exists(shown: &str) -> SourceError {
    SourceError::Exists(format!("{shown}: there is a file of this name already; it is not overwritten."))
}

/// The file is not what was listed.
pub fn changed(shown: &str, how: &str) -> SourceError {
    SourceError::Changed(format!(
        "{shown}: the file changed since it was listed: {how}. It is taken once it stays the same for stableFor."
    ))
}

/// Whether a file that now has this size and time still is what was listed.
pub fn same(shown: &str, file: &Stamp, size: u64, mtime: Timestamp) -> Result<(), SourceError> {
    if (size, mtime) == (file.size, file.mtime) {
        return Ok(());
    }
    let how = format!("it had {} bytes from {}, now {size} bytes from {mtime}", file.size, file.mtime);
    Err(changed(shown, &how))
}

/// The copy could not be written.
pub fn kept(shown: &str, error: &io::Error) -> SourceError {
    SourceError::Local(format!(
        "{shown}: its copy could not be written on this machine: {error}. See that the data folder has room and can be written."
    ))
}

/// The connection broke off.
pub const BROKEN: &str = "the connection broke off. It is tried again; if it stays so, ask whoever runs the server";

/// No answer in time.
pub fn stalled(waited: Duration) -> String {
    format!(
        "the server did not answer for {} (source.timeouts.stall). It is tried again; if it stays so, ask whoever runs the server",
        seconds(waited)
    )
}

/// `15 s`
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// What a server says, short and without anything that does something to a terminal.
pub fn harmless(text: &str) -> String {
    text.trim().chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// `host`, `host:2222` or `[::1]:2222`: the port only where it is not the usual one.
pub fn host(host: &str, port: u16, usual: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port == usual { host } else { format!("{host}:{port}") }
}

/// A folder as the manifest has it: what is shown of it behind the host, and its path, without a slash at its end. None: the
/// folder in which a login starts, shown as `/~`.
pub fn folder(path: &str) -> (String, Option<String>) {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ("/~".to_owned(), None),
        "" => ("/".to_owned(), Some("/".to_owned())),
        "." => ("/~".to_owned(), None),
        path if path.starts_with('/') => (path.to_owned(), Some(path.to_owned())),
        path => (format!("/~/{path}"), Some(path.to_owned())),
    }
}

/// What is shown of a name below a folder; the empty name is the folder itself.
pub fn shown(location: &str, name: &str) -> String {
    match name {
        "" => location.to_owned(),
        name => format!("{}/{name}", location.trim_end_matches('/')),
    }
}

/// The error without this secret: a server may repeat in its own words what it was sent.
pub fn without(secret: &str, error: SourceError) -> SourceError {
    // As a whole, and as what is left of it once a server's words were made harmless. Less than four letters is no secret, but a
    // part of many words.
    let harmless = harmless(secret);
    let clean = |text: String| {
        [secret, &harmless]
            .into_iter()
            .filter(|secret| secret.chars().count() > 3)
            .fold(text, |text, secret| text.replace(secret, "…"))
    };
    match error {
        SourceError::Denied(text) => SourceError::Denied(clean(text)),
        SourceError::Unreachable(text) => SourceError::Unreachable(clean(text)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_a_server_repeats_is_not_shown() {
        let denied = |text: &str| SourceError::Denied(text.to_owned());
        for (secret, said, shown) in [
            ("hunter2", "wrong password \"hunter2\" (hunter2)", "wrong password \"…\" (…)"),
            (" hunter2 ", "wrong password \"hunter2\"", "wrong password \"…\""),
            ("a", "a bad password", "a bad password"),
            ("", "a bad password", "a bad password"),
        ] {
            assert_eq!(without(secret, denied(said)), denied(shown), "{secret:?}");
        }
    }
}

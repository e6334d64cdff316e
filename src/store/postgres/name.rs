//! A connection in words: where it leads and as whom, and never by which password.

use std::fmt;

/// What messages may say of a connection.
pub struct Name {
    /// Host name, address, or the folder of a Unix socket.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database's name.
    pub database: String,
    /// The database's user.
    pub user: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, database, user } = self;
        if host.starts_with('/') {
            write!(f, "PostgreSQL database {database} at {host} (user {user})")
        } else {
            write!(f, "PostgreSQL database {database} on {host}:{port} (user {user})")
        }
    }
}

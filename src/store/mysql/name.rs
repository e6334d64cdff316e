//! A connection in words: where it leads and as whom, and never by which password.

use std::fmt;

/// What messages may say of a connection.
#[derive(Clone)]
pub struct Name {
    /// `MariaDB` or `MySQL`: as the URL says, then as the server says.
    pub product: &'static str,
    /// Host name, address, or the path of a Unix socket.
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
        let Self { product, host, port, database, user } = self;
        if host.starts_with('/') {
            write!(f, "{product} database {database} at {host} (user {user})")
        } else {
            write!(f, "{product} database {database} on {host}:{port} (user {user})")
        }
    }
}

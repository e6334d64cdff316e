//! The target's URL: where the database is, how to get in, and how the line is protected.

use sqlx::{
    ConnectOptions,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

use super::name::Name;
use crate::ports::StoreError;

/// Reads a `mysql://` or `mariadb://` URL. Without `ssl-mode` in it, a server that is not this machine must show a
/// certificate that verifies. An unknown parameter is refused by its name, so that no value is ever logged.
pub fn read(url: &str, ca_bundle: Option<&str>) -> Result<(MySqlConnectOptions, Name), StoreError> {
    let form = || {
        invalid(
            "target.url is no MySQL URL: it must look like mysql://USER:PASSWORD@HOST:3306/DATABASE, with % codes for \
             special characters",
        )
    };
    let schemes = [("mysql://", "MySQL"), ("mariadb://", "MariaDB")];
    let (rest, product) = schemes.iter().find_map(|(s, p)| Some((url.strip_prefix(s)?, *p))).ok_or_else(form)?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    // Always with an authority: the socket may be named by a parameter alone.
    let mut options: MySqlConnectOptions = format!("mysql://{place}").parse().map_err(|_| form())?;
    let bare = options.get_host().trim_matches(['[', ']']).to_owned();
    options = options.host(&bare).disable_statement_logging();
    // What sqlx would set at the beginning of a session is set by `session` instead.
    options = options.timezone(None).pipes_as_concat(false).no_engine_substitution(false);
    let mut mode = None;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value).ok_or_else(form)?;
        match key {
            "sslmode" | "ssl-mode" => mode = Some(ssl_mode(&value)?),
            "sslca" | "ssl-ca" | "sslrootcert" => options = options.ssl_ca(value),
            "sslcert" | "ssl-cert" => options = options.ssl_client_cert(value),
            "sslkey" | "ssl-key" => options = options.ssl_client_key(value),
            "socket" => options = options.socket(value),
            _ => return Err(invalid(format!("target.url has an unknown parameter {key}"))),
        }
    }
    let host = options.get_socket().map_or(bare, |path| path.display().to_string());
    let mode = mode.unwrap_or_else(|| match default_mode(&host) {
        // Whoever names an authority wants it asked, on this machine as well.
        MySqlSslMode::Preferred if ca_bundle.is_some() => MySqlSslMode::VerifyIdentity,
        mode => mode,
    });
    if let Some(bundle) = ca_bundle {
        options = options.ssl_ca_from_pem(bundle.as_bytes().to_vec());
    }
    let Some(database) = options.get_database().map(str::to_owned) else {
        return Err(invalid("target.url names no database: mysql://USER:PASSWORD@HOST:3306/DATABASE"));
    };
    let user = options.get_username().to_owned();
    let name = Name { product, host, port: options.get_port(), database, user };
    Ok((options.ssl_mode(mode), name))
}

/// The TLS mode where the URL says nothing.
fn default_mode(host: &str) -> MySqlSslMode {
    if host.starts_with('/') {
        MySqlSslMode::Disabled
    } else if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        MySqlSslMode::Preferred
    } else {
        MySqlSslMode::VerifyIdentity
    }
}

/// MySQL's own words for TLS modes, and those of PostgreSQL's URLs.
fn ssl_mode(word: &str) -> Result<MySqlSslMode, StoreError> {
    Ok(match word.to_ascii_lowercase().replace('_', "-").as_str() {
        "disabled" | "disable" => MySqlSslMode::Disabled,
        "preferred" | "prefer" => MySqlSslMode::Preferred,
        "required" | "require" => MySqlSslMode::Required,
        "verify-ca" => MySqlSslMode::VerifyCa,
        "verify-identity" | "verify-full" => MySqlSslMode::VerifyIdentity,
        _ => {
            return Err(invalid(
                "target.url has an unknown ssl-mode: write DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
            ));
        }
    })
}

fn invalid(why: impl Into<String>) -> StoreError {
    StoreError::Invalid(why.into())
}

/// Text without its percent codes; None if it is not UTF-8 then.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_verifies_unless_the_url_says_otherwise() {
        for (url, mode) in [
            ("mysql://a:b@db.example.com/users", "VerifyIdentity"),
            ("mariadb://a:b@10.0.0.1:3307/users", "VerifyIdentity"),
            ("mysql://a:b@db.example.com/users?ssl-mode=REQUIRED", "Required"),
            ("mysql://a:b@db.example.com/users?sslmode=verify-full", "VerifyIdentity"),
            ("mysql://a:b@db.example.com/users?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem", "VerifyCa"),
            ("mysql://a:b@db.example.com/users?ssl-mode=disabled", "Disabled"),
            ("mysql://a:b@localhost/users", "Preferred"),
            ("mysql://a:b@127.0.0.1/users", "Preferred"),
            ("mysql://a:b@[::1]:3306/users", "Preferred"),
            ("mysql://a:b@localhost/users?socket=/run/mysqld/mysqld.sock", "Disabled"),
            ("mysql://a:b@localhost/users?socket=%2Frun%2Fmysqld%2Fmysqld.sock", "Disabled"),
        ] {
            assert_eq!(format!("{:?}", read(url, None).unwrap().0.get_ssl_mode()), mode, "{url}");
        }
    }

    #[test]
    fn names_and_errors_show_no_password() {
        let name = read("mariadb://sync:s3cret@db.example.com:3307/people", None).unwrap().1.to_string();
        assert_eq!(name, "MariaDB database people on db.example.com:3307 (user sync)");
        let name = read("mysql://sync:s3cret@localhost/people?socket=/run/db", None).unwrap().1.to_string();
        assert_eq!(name, "MySQL database people at /run/db (user sync)");
        for url in [
            "postgres://a:s3cret@h/d",
            "mysql://a:s3cret@h:port/d",
            "mysql://a@h/d?secret=s3cret",
            "mysql://a:s3cret@h/",
            "mysql://a:b@h/d?ssl-mode=s3cret",
            "s3cret",
        ] {
            let error = read(url, None).err().unwrap();
            assert!(matches!(error, StoreError::Invalid(_)));
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}

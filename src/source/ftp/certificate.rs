//! Why a server's certificate is refused, in words that say what to do.

use jiff::Timestamp;
use rustls::{CertificateError, pki_types::UnixTime};

/// What is wrong with the certificate and what to do. `expected` is the name it must have, `given` says whether the manifest
/// names the authorities to trust.
pub fn refused(error: &CertificateError, expected: &str, given: bool) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it expired on {}. Have it renewed on the server", date(*not_after))
        }
        CertificateError::Expired => "it has expired. Have it renewed on the server".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not valid before {}. See that the clocks of server and this machine are right", date(*not_before))
        }
        CertificateError::NotValidYet => {
            "it is not valid yet. See that the clocks of server and this machine are right".to_owned()
        }
        CertificateError::UnknownIssuer if given => "no certificate in source.ftp.caBundle signed it. Add that of the authority \
                                                     that did, or the server's own"
            .to_owned(),
        CertificateError::UnknownIssuer => "this machine knows no authority that signed it. Name the authority's certificate, or \
                                            the server's own, in source.ftp.caBundle"
            .to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => wrong_name(presented, expected),
        CertificateError::NotValidForName => wrong_name(&[], expected),
        CertificateError::Revoked => "it was revoked. Have a new one made for the server".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not made for servers. Have one made with the purpose serverAuth".to_owned()
        }
        CertificateError::BadEncoding | CertificateError::UnhandledCriticalExtension => {
            "it can't be read. Have it made anew for the server".to_owned()
        }
        CertificateError::BadSignature => "its signature is wrong. Have it made anew for the server".to_owned(),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's own certificate and not one for a server. Have one made for the server, or name exactly this one \
             in source.ftp.caBundle"
                .to_owned()
        }
        other => format!("{other}. Have a current one made for the server"),
    }
}

fn wrong_name(presented: &[String], expected: &str) -> String {
    let mut names: Vec<&str> = presented.iter().map(|name| plain(name)).take(10).collect();
    names.sort_unstable();
    match names.as_slice() {
        [] => format!(
            "it has no name that counts (subjectAltName), so not “{expected}” either. Have one made with the server's name"
        ),
        names => format!(
            "it is made for {} and not for “{expected}”. Correct source.ftp.host, or write the certificate's name in \
             source.ftp.serverName",
            names.iter().map(|name| format!("“{name}”")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// `DnsName("ftp.example.com")` without what is around it.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

fn date(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown day".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let named = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("ftp.example.com").unwrap(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (error, given, expected) in [
            (
                CertificateError::ExpiredContext { time: time(9), not_after: time(1_800_000_000) },
                false,
                "it expired on 2027-01-15 08:00 UTC. Have it renewed on the server",
            ),
            (CertificateError::UnknownIssuer, true, "no certificate in source.ftp.caBundle signed it. Add"),
            (CertificateError::UnknownIssuer, false, "this machine knows no authority that signed it. Name"),
            (
                named(&["DnsName(\"localhost\")", "IpAddress(127.0.0.1)"]),
                true,
                "it is made for “127.0.0.1”, “localhost” and not for “ftp.example.com”. Correct source.ftp.host, or write \
                 the certificate's name in source.ftp.serverName",
            ),
            (named(&[]), true, "it has no name that counts (subjectAltName), so not “ftp.example.com” either."),
        ] {
            let said = refused(&error, "ftp.example.com", given);
            assert!(said.starts_with(expected), "{said}");
        }
    }
}

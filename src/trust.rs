//! Trust: which certificates are believed, and in plain words why one is not.

use std::{error::Error, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as TlsError, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// A client that trusts these authorities alone, or those of this machine. `field` names them in the manifest.
pub fn config(bundle: Option<&str>, field: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match bundle {
        Some(bundle) => {
            for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
                let certificate = certificate.map_err(|_| format!("{field} has a part that is no certificate"))?;
                roots.add(certificate).map_err(|_| format!("{field} has a certificate that can't be read"))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err(format!(
            "there is no certificate authority to trust: name one in {field}, or install the system's"
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|error| format!("TLS can't be used: {error}"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The error of TLS somewhere below this one.
pub fn in_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(found);
        }
        // An error of the system hands over what is in it by another way.
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            let inner: &(dyn Error + 'static) = inner;
            if let Some(found) = in_tls(inner) {
                return Some(found);
            }
        }
        next = error.source();
    }
    None
}

/// Why the server is not believed to be who it should be, with what to do. None: it is for something else.
pub fn refused(error: &TlsError, host: &str, field: &str, given: bool) -> Option<String> {
    let why = match error {
        TlsError::InvalidCertificate(why) => why,
        TlsError::InvalidMessage(_) => {
            return Some("the server does not speak TLS there. Check scheme and port of the URL.".to_owned());
        }
        TlsError::PeerIncompatible(_) | TlsError::AlertReceived(AlertDescription::ProtocolVersion) => {
            return Some(
                "the server and UserSync agree on no encryption: TLS 1.2 or 1.3 must be switched on at the server."
                    .to_owned(),
            );
        }
        _ => return None,
    };
    let what = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired. Have it renewed on the server.".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet. Check the clocks of both machines.".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it is not for the name {host}. Write the host as the certificate has it, or have that corrected.")
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature if given => {
            format!(
                "it was not signed by an authority in {field}. Put the certificate of the one that signed it there."
            )
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!(
                "this machine does not trust the authority that signed it. Name that authority's certificate in {field}."
            )
        }
        other => format!("{other}."),
    };
    Some(format!("the server's certificate is refused: {what}"))
}

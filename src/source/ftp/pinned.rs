//! Which certificate is believed: one that a trusted authority signed, or one that the manifest names itself.
//!
//! Many FTP servers show a certificate that signs itself and may sign others (`openssl req -x509` makes such). No chain leads to
//! it, so webpki refuses it as a server's certificate even where it is the one trusted. Who names exactly this certificate in
//! `caBundle` means it: it is believed as long as its name and its time are right. The time is what webpki looks at first, before
//! who signed it and for what.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// Believes the authorities, and these certificates themselves.
#[derive(Debug)]
pub struct Pinned {
    authorities: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Pinned {
    /// Trust in the authorities of `verifier`, and in `own`.
    pub fn new(authorities: Arc<WebPkiServerVerifier>, own: Vec<CertificateDer<'static>>) -> Self {
        Self { authorities, own }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.own.iter().any(|own| own.as_ref() == shown.as_ref()) {
            return self.authorities.verify_server_cert(shown, intermediates, name, stapled, now);
        }
        match self.authorities.verify_server_cert(shown, intermediates, name, stapled, now) {
            Err(Error::InvalidCertificate(why)) if !of_its_issuer(&why) => return Err(why.into()),
            Err(Error::InvalidCertificate(_)) | Ok(_) => {}
            Err(other) => return Err(other),
        }
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Whether this is no reason to refuse a certificate that the manifest names itself: who signed it, how and for what. The name is
/// looked at besides.
fn of_its_issuer(why: &CertificateError) -> bool {
    use CertificateError as Why;
    matches!(
        why,
        Why::UnknownIssuer
            | Why::BadSignature
            | Why::UnsupportedSignatureAlgorithmContext { .. }
            | Why::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            | Why::InvalidPurpose
            | Why::InvalidPurposeContext { .. }
            | Why::NotValidForName
            | Why::NotValidForNameContext { .. }
            // That it is an authority's, for one.
            | Why::Other(_)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::{RootCertStore, crypto::ring, pki_types::pem::PemObject};

    use super::*;

    /// Both sign themselves, are for ftp.example.com and count from 2020 to 2029. The first may sign others, the second may not and
    /// is for clients.
    const OWN: [&str; 2] = [
        "-----BEGIN CERTIFICATE-----\n\
         MIIBXjCCAQWgAwIBAgIBATAKBggqhkjOPQQDAjARMQ8wDQYDVQQDDAZzZXJ2ZXIw\n\
         HhcNMjAwMTAxMDAwMDAwWhcNMzAwMTAxMDAwMDAwWjARMQ8wDQYDVQQDDAZzZXJ2\n\
         ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQgTBMJCI8SDX2mBzZ4BbOgFr91\n\
         7Ykwp9agpjiCbR/ttr0blWUJTVLu0xa/DO1nVVoaMPQcAO5kn5oBcCONDnh6o04w\n\
         TDAPBgNVHRMBAf8EBTADAQH/MBoGA1UdEQQTMBGCD2Z0cC5leGFtcGxlLmNvbTAd\n\
         BgNVHQ4EFgQU7Jp5JvdyyMGZWSKKCg/UxSOx9lUwCgYIKoZIzj0EAwIDRwAwRAIg\n\
         V9sXyriW9aQjt35LrLOjqZo/9vfIYGaa/TruFlUdYuYCIHhtTHoVkn9dEK7sqj5p\n\
         RXIsuMoviTa8Py6jGNjE50dz\n\
         -----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n\
         MIIBcTCCARegAwIBAgIBAjAKBggqhkjOPQQDAjARMQ8wDQYDVQQDDAZzZXJ2ZXIw\n\
         HhcNMjAwMTAxMDAwMDAwWhcNMzAwMTAxMDAwMDAwWjARMQ8wDQYDVQQDDAZzZXJ2\n\
         ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQgTBMJCI8SDX2mBzZ4BbOgFr91\n\
         7Ykwp9agpjiCbR/ttr0blWUJTVLu0xa/DO1nVVoaMPQcAO5kn5oBcCONDnh6o2Aw\n\
         XjAMBgNVHRMBAf8EAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMBoGA1UdEQQTMBGC\n\
         D2Z0cC5leGFtcGxlLmNvbTAdBgNVHQ4EFgQU7Jp5JvdyyMGZWSKKCg/UxSOx9lUw\n\
         CgYIKoZIzj0EAwIDSAAwRQIgUQrymynGgHMVpbq+q/cXQ2t22fCdcs0SCukO/zoG\n\
         SXECIQDJkuhFihut9NSQoAbixCrGC3b98W7bNliHIYm1E00jhg==\n\
         -----END CERTIFICATE-----",
    ];
    const YEAR_2020: u64 = 1_577_836_800;
    const YEAR_2030: u64 = 1_893_456_000;

    #[test]
    fn a_certificate_that_is_named_counts_in_its_time_and_by_its_name() {
        let mut roots = RootCertStore::empty();
        let own = OWN.map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
        roots.add_parsable_certificates(own.clone());
        let provider = Arc::new(ring::default_provider());
        let authorities = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let pinned = Pinned::new(authorities.clone(), own.to_vec());
        for shown in &own {
            let verify = |name: &'static str, at: u64| {
                let (name, now) = (name.try_into().unwrap(), UnixTime::since_unix_epoch(Duration::from_secs(at)));
                match pinned.verify_server_cert(shown, &[], &name, &[], now) {
                    Ok(_) => Ok(()),
                    Err(Error::InvalidCertificate(why)) => Err(why),
                    Err(other) => panic!("{other}"),
                }
            };
            let early = verify("ftp.example.com", YEAR_2020 - 1);
            assert!(matches!(early, Err(CertificateError::NotValidYetContext { .. })), "{early:?}");
            assert_eq!(verify("ftp.example.com", YEAR_2020), Ok(()));
            assert_eq!(verify("ftp.example.com", YEAR_2030), Ok(()));
            let late = verify("ftp.example.com", YEAR_2030 + 1);
            assert!(matches!(late, Err(CertificateError::ExpiredContext { .. })), "{late:?}");
            let other = verify("ftp.example.org", YEAR_2020);
            assert!(matches!(other, Err(CertificateError::NotValidForNameContext { .. })), "{other:?}");
        }
        // One that is not named is not believed on its own word.
        let stranger = Pinned::new(authorities, vec![own[1].clone()]);
        let (name, now) =
            ("ftp.example.com".try_into().unwrap(), UnixTime::since_unix_epoch(Duration::from_secs(YEAR_2020)));
        assert!(stranger.verify_server_cert(&own[0], &[], &name, &[], now).is_err());
    }
}

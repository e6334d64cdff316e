//! TLS for one login: who is trusted, which name the certificate must have, and one cache of sessions for control and data
//! connections. Servers see by a resumed session that both belong to the same client (vsftpd's `require_ssl_reuse`, ProFTPD's
//! default); with TLS 1.3 each ticket is used once, and each connection brings new ones.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use suppaftp::{
    FtpError, FtpResult,
    tokio::{AsyncRustlsStream, AsyncTlsConnector},
    tokio_rustls::{TlsConnector, client::TlsStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{certificate, errors::Place, pinned::Pinned};
use crate::{model::job::FtpJob, ports::SourceError};

/// Sessions kept for one login: control and data connections have the same name, so few are enough.
const SESSIONS: usize = 8;

/// How one login is encrypted.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    state: Arc<Mutex<State>>,
}

/// What became of the control connection's handshake: the library keeps its words alone.
#[derive(Default)]
struct State {
    reached: bool,
    shaken: bool,
    failure: Option<io::Error>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({:?})", self.name)
    }
}

impl Tls {
    /// The encryption that a job asks for. Reads the system's certificates unless the job brings its own.
    pub fn new(place: &Place, job: &FtpJob) -> Result<Self, SourceError> {
        let refused = |why: String| SourceError::Denied(format!("{}: {why}.", place.location()));
        let name = ServerName::try_from(job.server_name.trim_end_matches('.').to_owned()).map_err(|_| {
            refused(format!(
                "“{}” is no name that a certificate can have. Correct source.ftp.serverName (or host)",
                job.server_name
            ))
        })?;
        let provider = Arc::new(ring::default_provider());
        let verifier = match &job.ca_bundle {
            Some(bundle) => given(bundle, &provider),
            None => system(&provider),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(format!("TLS can't be used on this machine ({error})")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.map_err(refused)?));
        let mut config = config.with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Self { connector: Arc::new(config).into(), name, state: Arc::default() })
    }

    /// Encrypts a data connection.
    pub async fn shake<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connector.connect(self.name.clone(), stream).await
    }

    /// Whether there was a connection to encrypt.
    pub fn reached(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).reached
    }

    /// Whether the control connection is encrypted, and with a server whose certificate was verified.
    pub fn shaken(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).shaken
    }

    /// Why the control connection could not be encrypted, if that was tried.
    pub fn failure(&self) -> Option<io::Error> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }
}

#[async_trait::async_trait]
impl AsyncTlsConnector for Tls {
    type Stream = AsyncRustlsStream;

    async fn connect(&self, _name: &str, stream: TcpStream) -> FtpResult<Self::Stream> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).reached = true;
        let shaken = self.shake(stream).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match shaken {
            Ok(stream) => {
                state.shaken = true;
                Ok(stream.into())
            }
            Err(error) => {
                let words = error.to_string();
                state.failure = Some(error);
                Err(FtpError::SecureError(words))
            }
        }
    }
}

/// Trust in these certificates alone: authorities, or the server's own.
fn given(bundle: &str, provider: &Arc<CryptoProvider>) -> Result<Pinned, String> {
    let unusable = |why: &str| {
        format!(
            "source.ftp.caBundle {why}. It must hold the certificate of the authority that signed the server's (or the server's \
             own) as PEM: -----BEGIN CERTIFICATE-----"
        )
    };
    let mut roots = RootCertStore::empty();
    let mut own = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        let certificate = certificate.map_err(|_| unusable("has a part that is no certificate"))?;
        roots.add(certificate.clone()).map_err(|_| unusable("has a certificate that can't be read"))?;
        own.push(certificate);
    }
    if own.is_empty() {
        return Err(unusable("has no certificate"));
    }
    Ok(Pinned::new(verifier(roots, provider)?, own))
}

/// Trust in the authorities that this machine trusts.
fn system(provider: &Arc<CryptoProvider>) -> Result<Pinned, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(
            "this machine trusts no certificate authority. Install its CA certificates, or name the server's in \
                    source.ftp.caBundle"
                .to_owned(),
        );
    }
    Ok(Pinned::new(verifier(roots, provider)?, Vec::new()))
}

fn verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| format!("the certificates to trust can't be used ({error})"))
}

/// Why a connection could not be encrypted, in words.
pub fn refused(place: &Place, job: &FtpJob, error: &io::Error) -> SourceError {
    let place = place.location();
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => SourceError::Denied(format!(
            "{place}: the server's certificate is refused: {}. No password was sent.",
            certificate::refused(why, &job.server_name, job.ca_bundle.is_some())
        )),
        Some(rustls::Error::InvalidMessage(_)) => SourceError::Denied(format!(
            "{place}: the server does not speak TLS there. {} No password was sent.",
            match job.tls {
                crate::api::FtpTls::Implicit =>
                    "Write tls: Explicit (usually port 21) if it encrypts after AUTH TLS, and check source.ftp.port.",
                _ =>
                    "Check source.ftp.port; write tls: Implicit (usually port 990) if it encrypts from the first byte.",
            }
        )),
        Some(rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_)) => SourceError::Denied(format!(
            "{place}: the server and UserSync agree on no encryption ({error}). UserSync offers TLS 1.2 and 1.3; have one of them \
             switched on at the server, with a current certificate. No password was sent."
        )),
        Some(other) => SourceError::Unreachable(format!(
            "{place}: the encrypted connection did not come about ({other}). It is tried again; if it stays so, ask whoever runs \
             the server."
        )),
        None => SourceError::Unreachable(format!(
            "{place}: the server closed the connection instead of encrypting it ({error}). It is tried again; if it stays so, \
             check source.ftp.port and tls, or ask whoever runs the server."
        )),
    }
}

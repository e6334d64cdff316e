//! Connect: TCP, TLS, greeting, login. No password goes out before the connection is as the manifest wants it.

use std::time::Duration;

use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
    extension::ClientId,
};
use tokio::time::timeout;

use super::errors::{Asked, Trouble, denied, slow, sorted};
use crate::model::notice::{SmtpJob, SmtpSecurity};

/// How long to wait for a mail server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Until the connection stands, TLS included, and the server has greeted.
    pub connect: Duration,
    /// For the answer to a command.
    pub command: Duration,
    /// From the mail's last byte to the answer: servers look for viruses meanwhile (RFC 5321, 4.5.3.2.6, has 10 minutes).
    pub mail: Duration,
}

impl Limits {
    pub const USUAL: Self =
        Self { connect: Duration::from_secs(20), command: Duration::from_secs(60), mail: Duration::from_secs(300) };
}

/// A connection that is ready to take mails.
pub(super) async fn connect(job: &SmtpJob, limits: Limits) -> Result<AsyncSmtpConnection, Trouble> {
    let asked = async {
        let hello = ClientId::default();
        let server = (job.host.as_str(), job.port);
        let tls = match job.security {
            SmtpSecurity::Plain => None,
            SmtpSecurity::StartTls | SmtpSecurity::Implicit => Some(tls(job)?),
        };
        let at_once = tls.clone().filter(|_| job.security == SmtpSecurity::Implicit);
        let connected = AsyncSmtpConnection::connect_tokio1(server, Some(limits.connect), &hello, at_once, None).await;
        let mut connection = connected.map_err(|error| sorted(job, Asked::Connection, &error))?;
        if let (SmtpSecurity::StartTls, Some(tls)) = (job.security, tls) {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(denied(job, NO_STARTTLS));
            }
            let encrypted = connection.starttls(tls, &hello).await;
            encrypted.map_err(|error| sorted(job, Asked::Connection, &error))?;
        }
        Ok(connection)
    };
    let seconds = limits.connect.as_secs();
    let connected = timeout(limits.connect, asked).await.map_err(|_| slow(job, Asked::Connection, seconds))?;
    let mut connection = connected?;
    if let Some(login) = &job.login {
        let credentials = Credentials::new(login.username.clone(), login.password.expose().to_owned());
        let asked = connection.auth(DEFAULT_MECHANISMS, &credentials);
        let answer = timeout(limits.command, asked).await;
        let answer = answer.map_err(|_| slow(job, Asked::Login, limits.command.as_secs()))?;
        if let Err(error) = answer {
            let trouble = sorted(job, Asked::Login, &error);
            connection.abort().await;
            return Err(match trouble {
                // Another connection would fare no better.
                Trouble::Broken(why) | Trouble::One(why) => Trouble::Server(why),
                server => server,
            });
        }
    }
    Ok(connection)
}

const NO_STARTTLS: &str = "the server offers no STARTTLS, and nothing is sent in the clear. Write smtps:// if it encrypts from the \
                           first byte (usually port 465); only if the network in between is trusted, smtp://HOST?tls=none.";

/// Whom to trust: the authorities of the manifest alone, or those of this machine.
fn tls(job: &SmtpJob) -> Result<TlsParameters, Trouble> {
    let mut builder = TlsParameters::builder(job.host.clone());
    if let Some(bundle) = &job.ca_bundle {
        let certificate = Certificate::from_pem(bundle.as_bytes());
        let certificate =
            certificate.map_err(|_| denied(job, "report.email.caBundle has a part that is no certificate."))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build().map_err(|error| denied(job, &format!("the certificates to trust can't be used ({error}).")))
}

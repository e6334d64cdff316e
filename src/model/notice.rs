//! Who is told of a run, and how: by mail, by a webhook.

use jiff::tz::TimeZone;

use super::secret::Secret;
use crate::api::usersync::report::MailWhen;

/// Who is told of a sync's runs.
#[derive(Clone, Debug)]
pub struct NoticeJob {
    /// By mail.
    pub mail: Option<MailJob>,
    /// By a POST to a URL.
    pub webhook: Option<WebhookJob>,
    /// Where times are shown.
    pub zone: TimeZone,
}

impl Default for NoticeJob {
    fn default() -> Self {
        Self { mail: None, webhook: None, zone: TimeZone::UTC }
    }
}

/// The mails of a sync.
#[derive(Clone, Debug)]
pub struct MailJob {
    /// The server that takes them.
    pub smtp: SmtpJob,
    /// Who they come from.
    pub from: Mailbox,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Mailbox>,
    /// Whom the summary is for.
    pub to: Vec<Mailbox>,
    /// Who gets a copy of it that all see.
    pub cc: Vec<Mailbox>,
    /// Whether anybody gets the summary, if only a copy that nobody sees.
    pub to_anyone: bool,
    /// For whom the rows to correct are.
    pub failed_import_to: Vec<Mailbox>,
    /// When the summary is sent.
    pub when: MailWhen,
    /// Whether simulations are told.
    pub simulations: bool,
}

/// A person or a role that mail goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// As it is shown: `HR, Müller`. Without control characters.
    pub name: Option<String>,
    /// `hr@example.com`, valid; the part behind the `@` is ASCII.
    pub address: String,
}

/// A mail server and how to get in.
#[derive(Clone, Debug)]
pub struct SmtpJob {
    /// Host name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// Who logs in; None: nobody.
    pub login: Option<SmtpLogin>,
    /// PEM certificates to trust instead of the system's.
    pub ca_bundle: Option<String>,
    /// The Secret that says all this, for messages.
    pub secret: String,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Not at all: on loopback, or because the URL says so.
    Plain,
    /// `STARTTLS`, without which nothing is sent.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// Who logs in to a mail server.
#[derive(Clone, Debug)]
pub struct SmtpLogin {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Where a summary of each run is posted.
#[derive(Clone, Debug)]
pub struct WebhookJob {
    /// The URL, `http` or `https`.
    pub url: Secret,
    /// Signs what is posted.
    pub signing_key: Secret,
    /// PEM certificates to trust instead of the system's.
    pub ca_bundle: Option<String>,
}

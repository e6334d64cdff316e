//! `spec.report` and `spec.history`: who is told of a run, and how long it is remembered.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::reference::{CaBundle, SecretName, SecretValue};

/// Who is told of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReportSpec {
    /// A mail after each run, with the changes attached. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailSpec>,
    /// A JSON summary of each run, posted to a URL and signed. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSpec>,
}

/// A mail after each run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "[has(self.to) && size(self.to) > 0, has(self.cc) && size(self.cc) > 0, has(self.bcc) && size(self.bcc) > 0, has(self.failedImportTo) && size(self.failedImportTo) > 0].exists(some, some)")
    .message("nobody would get this mail: add an address to to or failedImportTo"))]
pub struct EmailSpec {
    /// The Secret with `url` (`smtp://`, `smtps://` or `smtp+starttls://` HOST:PORT), and `username` and `password` if the
    /// server wants them. Example: `{name: smtp}`.
    pub smtp: SecretName,
    /// The sender. Example: `"User sync <sync@example.com>"`.
    #[schemars(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]+@[^\r\n]+$"))]
    pub from: String,
    /// Where answers go. Default: the sender. Example: `admin@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]+@[^\r\n]+$"))]
    pub reply_to: Option<String>,
    /// Who gets the summary, with the changes attached. Example: `[it@example.com]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]+@[^\r\n]+$")))]
    pub to: Vec<String>,
    /// Who gets a copy of the summary, for all to see. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]+@[^\r\n]+$")))]
    pub cc: Vec<String>,
    /// Who gets a copy of the summary, unseen by the others. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]+@[^\r\n]+$")))]
    pub bcc: Vec<String>,
    /// Who gets the rejected rows as a CSV file to correct, only when rows were rejected or the import failed. Default: nobody.
    /// Example: `[hr@example.com]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]+@[^\r\n]+$")))]
    pub failed_import_to: Vec<String>,
    /// When `to` gets a mail: Always (default), OnChange (something changed, or it failed), or OnFailure (a held run counts as
    /// failure).
    #[serde(default)]
    pub when: MailWhen,
    /// Whether simulations are mailed to `to` as well; never to `failedImportTo`. Default: true.
    #[serde(default = "yes")]
    pub simulations: bool,
    /// Certificates to trust instead of the system's, for the mail server.
    /// Example: `{configMapKeyRef: {name: ca, key: ca.crt}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
}

fn yes() -> bool {
    true
}

/// When a mail is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MailWhen {
    /// After each run.
    #[default]
    Always,
    /// When something changed, or the run failed.
    OnChange,
    /// When the run failed or is held.
    OnFailure,
}

/// A JSON summary of each run, posted to a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSpec {
    /// The URL to post to. Example: `{secretKeyRef: {name: webhook, key: url}}`.
    pub url: SecretValue,
    /// The key that signs the summary (HMAC-SHA256). Example: `{secretKeyRef: {name: webhook, key: signingKey}}`.
    pub signing_key: SecretValue,
    /// Certificates to trust instead of the system's. Example: `{configMapKeyRef: {name: ca, key: ca.crt}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
}

/// How many ended runs are kept. Of simulations the last ten are, and the latest held run always is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HistorySpec {
    /// How many successful imports are kept. Default: 10.
    #[schemars(range(min = 1, max = 100))]
    pub successful: u32,
    /// How many failed imports are kept. Default: 10.
    #[schemars(range(min = 1, max = 100))]
    pub failed: u32,
}

impl Default for HistorySpec {
    fn default() -> Self {
        Self { successful: 10, failed: 10 }
    }
}

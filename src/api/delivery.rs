//! Who was told of a run, or that no file came.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mail to one recipient, or the webhook's POST: how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// What: Summary, FailedImport, Webhook or Alert.
    pub kind: DeliveryKind,
    /// The recipient's address; `webhook` for the webhook. Example: `it@example.com`.
    #[schemars(length(max = 320))]
    pub to: String,
    /// Sent, Refused (it is not tried again) or Waiting (it is tried again).
    pub state: DeliveryState,
    /// Since when it stands so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// Why it is not sent, in one word. Examples: `MailUnreachable`, `MailDenied`, `RecipientRefused`, `WebhookFailed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reason: Option<String>,
    /// Why it is not sent, with what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// What somebody is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DeliveryKind {
    /// The mail that sums a run up.
    Summary,
    /// The mail with the rows to correct.
    FailedImport,
    /// The POST to the webhook.
    Webhook,
    /// The mail that says that no file came.
    Alert,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeliveryState {
    /// The server has taken it.
    Sent,
    /// It can't be delivered, and is not tried again.
    Refused,
    /// It is tried again.
    Waiting,
}

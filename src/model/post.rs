//! What is sent to people, and what becomes of it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{condition::ConditionReason, job::SyncId};
use crate::api::{Delivery, DeliveryKind, DeliveryState};

/// What stands in a mail's head besides the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Whose mails these are: they form one thread.
    pub sync: SyncId,
    /// What no other mail of this sync and kind has: the run's name.
    pub id: String,
    /// When it was written.
    pub date: Timestamp,
}

/// Something for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it is.
    pub kind: DeliveryKind,
    /// The address; of the webhook whatever.
    pub to: String,
    /// Whose it is, in one word that no other delivery has: what a receiver knows a repetition by.
    pub id: String,
    /// The whole mail, or the body of the POST.
    pub body: Arc<[u8]>,
}

/// What became of a [`Parcel`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The server has taken it.
    Sent,
    /// It can't be delivered.
    Refused(ConditionReason, String),
    /// It may be tried again.
    Waiting(ConditionReason, String),
}

impl Posted {
    /// The same as a run's status says it; the time is not part of it.
    pub fn delivery(self, kind: DeliveryKind, to: &str) -> Delivery {
        let (state, why) = match self {
            Self::Sent => (DeliveryState::Sent, None),
            Self::Refused(reason, message) => (DeliveryState::Refused, Some((reason, message))),
            Self::Waiting(reason, message) => (DeliveryState::Waiting, Some((reason, message))),
        };
        let (reason, message) = why.map(|(reason, message)| (reason.to_string(), message)).unzip();
        Delivery { kind, to: to.to_owned(), state, time: None, reason, message }
    }
}

/// How what a run owes stands after a try.
#[derive(Clone, Debug, PartialEq)]
pub struct Tidings {
    /// The run's name.
    pub run: String,
    /// What was tried.
    pub deliveries: Vec<Delivery>,
}

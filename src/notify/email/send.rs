//! Send: one transaction per recipient, over one connection as long as it holds. A recipient who is refused stops nobody else.

use lettre::transport::smtp::{
    client::AsyncSmtpConnection,
    commands::{Data, Mail, Rcpt, Rset},
    extension::{Extension, MailBodyParameter, MailParameter},
};
use tokio::time::timeout;

use super::{
    compose::address,
    connect::{Limits, connect},
    errors::{Asked, Trouble, place, slow, sorted},
};
use crate::model::{
    condition::ConditionReason,
    notice::{MailJob, SmtpJob},
    post::{Parcel, Posted},
};

/// Connections that may break before the rest has to wait.
const BREAKS: u32 = 3;

/// Sends each mail to its recipient; says for each in their order what became of it.
pub async fn send(job: &MailJob, parcels: &[&Parcel]) -> Vec<Posted> {
    within(job, parcels, Limits::USUAL).await
}

pub(super) async fn within(job: &MailJob, parcels: &[&Parcel], limits: Limits) -> Vec<Posted> {
    let smtp = &job.smtp;
    let mut open: Option<AsyncSmtpConnection> = None;
    let (mut all, mut breaks) = (Vec::new(), 0);
    let mut down: Option<Posted> = None;
    for parcel in parcels {
        if let Some(why) = &down {
            all.push(why.clone());
            continue;
        }
        let connection = match open.take() {
            Some(connection) => Ok(connection),
            None => connect(smtp, limits).await,
        };
        let trouble = match connection {
            Err(trouble) => trouble,
            Ok(mut connection) => match transaction(&mut connection, job, parcel, limits).await {
                Ok(()) => {
                    all.push(Posted::Sent);
                    open = Some(connection);
                    continue;
                }
                Err(Trouble::One(why)) => {
                    open = reset(connection, limits).await;
                    Trouble::One(why)
                }
                Err(other) => other,
            },
        };
        match trouble {
            Trouble::One(why) => all.push(why),
            Trouble::Server(why) => {
                all.push(why.clone());
                down = Some(why);
            }
            Trouble::Broken(why) => {
                breaks += 1;
                all.push(why.clone());
                down = (breaks >= BREAKS).then_some(why);
            }
        }
    }
    if let Some(mut connection) = open {
        let _ = timeout(limits.command, connection.quit()).await;
    }
    all
}

/// One mail to one recipient. What follows a refusal is up to the caller.
async fn transaction(
    connection: &mut AsyncSmtpConnection,
    job: &MailJob,
    parcel: &Parcel,
    limits: Limits,
) -> Result<(), Trouble> {
    let smtp = &job.smtp;
    let refused = |why: String| Trouble::One(Posted::Refused(ConditionReason::RecipientRefused, why));
    let (from, to) = (address(&job.from.address).map_err(refused)?, address(&parcel.to).map_err(refused)?);
    let mut parameters = Vec::new();
    // Bodies are encoded: what is not ASCII is an address (RFC 6531).
    if !(parcel.body.is_ascii() && job.from.address.is_ascii() && parcel.to.is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(refused(format!(
                "{}: the server takes no addresses with letters beyond ASCII before the @ (SMTPUTF8): give all recipients of this \
                 mail and its sender addresses in ASCII",
                place(smtp)
            )));
        }
        parameters = vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)];
    }
    command(connection, smtp, Asked::Sender, Mail::new(Some(from), parameters), limits).await?;
    command(connection, smtp, Asked::Recipient, Rcpt::new(to, Vec::new()), limits).await?;
    command(connection, smtp, Asked::Mail, Data, limits).await?;
    let answer = timeout(limits.mail, connection.message(&parcel.body)).await;
    let answer = answer.map_err(|_| slow(smtp, Asked::Mail, limits.mail.as_secs()))?;
    answer.map(drop).map_err(|error| sorted(smtp, Asked::Mail, &error))
}

async fn command(
    connection: &mut AsyncSmtpConnection,
    job: &SmtpJob,
    asked: Asked,
    command: impl std::fmt::Display,
    limits: Limits,
) -> Result<(), Trouble> {
    let answer = timeout(limits.command, connection.command(command)).await;
    let answer = answer.map_err(|_| slow(job, asked, limits.command.as_secs()))?;
    answer.map(drop).map_err(|error| sorted(job, asked, &error))
}

/// The connection, ready for the next mail; None: it is not.
async fn reset(mut connection: AsyncSmtpConnection, limits: Limits) -> Option<AsyncSmtpConnection> {
    let done = timeout(limits.command, connection.command(Rset)).await;
    matches!(done, Ok(Ok(_))).then_some(connection)
}

//! Errors: what a mail server answers, sorted once: for this recipient, for everybody, for now or for good.

use std::error::Error as _;

use lettre::transport::smtp::Error;

use crate::{
    model::{
        condition::ConditionReason,
        notice::{SmtpJob, SmtpSecurity},
        post::Posted,
    },
    sync::render::text::visible_cut,
    trust,
};

/// Characters of a server's answer that are shown.
const ANSWER: usize = 300;

/// Why something could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server can't be used now: whoever is next has the same trouble.
    Server(Posted),
    /// The connection broke, or the server ends it: another one may do.
    Broken(Posted),
    /// This recipient, or this mail for this recipient.
    One(Posted),
}

/// What was asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Connection,
    Login,
    Sender,
    Recipient,
    Mail,
}

/// Where the server is, for people: `smtps://mail.example.com:465`.
pub(super) fn place(job: &SmtpJob) -> String {
    let scheme = match job.security {
        SmtpSecurity::Plain => "smtp",
        SmtpSecurity::StartTls => "smtp+starttls",
        SmtpSecurity::Implicit => "smtps",
    };
    let host = if job.host.contains(':') { format!("[{}]", job.host) } else { job.host.clone() };
    format!("{scheme}://{host}:{}", job.port)
}

/// The server lets nobody in like this: only a person can mend it.
pub(super) fn denied(job: &SmtpJob, why: &str) -> Trouble {
    Trouble::Server(Posted::Waiting(
        ConditionReason::MailDenied,
        format!("{}: {why} It is tried again once an hour, and when somebody asks for a run.", place(job)),
    ))
}

fn unreachable(job: &SmtpJob, why: &str) -> Posted {
    Posted::Waiting(ConditionReason::MailUnreachable, format!("{}: {why} It is tried again.", place(job)))
}

/// It took too long.
pub(super) fn slow(job: &SmtpJob, asked: Asked, seconds: u64) -> Trouble {
    let what = match asked {
        Asked::Connection => "the server did not answer",
        Asked::Login => "the server did not answer the login",
        Asked::Sender | Asked::Recipient => "the server did not answer a command",
        Asked::Mail => "the server did not say whether it took the mail",
    };
    let why = unreachable(job, &format!("{what} within {seconds} s."));
    if asked == Asked::Connection { Trouble::Server(why) } else { Trouble::Broken(why) }
}

/// What an error means that came when this was asked.
pub(super) fn sorted(job: &SmtpJob, asked: Asked, error: &Error) -> Trouble {
    if let Some(refused) = certificate(job, error) {
        return refused;
    }
    let answer = visible_cut(&answer(error), ANSWER);
    let Some(code) = error.status().map(u16::from) else { return silent(job, asked, error, &answer) };
    let for_good = error.is_permanent();
    match (asked, for_good) {
        (Asked::Connection, _) => {
            Trouble::Server(unreachable(job, &format!("the server takes no connection: {answer}.")))
        }
        (Asked::Login, true) => denied(
            job,
            &format!(
                "the server refused the login: {answer}. Correct username and password in the Secret “{}” (some servers want a \
                 password for this program of its own).",
                job.secret
            ),
        ),
        (Asked::Login, false) => {
            Trouble::Server(unreachable(job, &format!("the server can't check the login: {answer}.")))
        }
        (Asked::Sender | Asked::Mail, true) if too_large(code, &answer) => Trouble::One(Posted::Refused(
            ConditionReason::RecipientRefused,
            format!(
                "{}: the server refused the mail as too large: {answer}. Have its limit for a mail raised: an attachment of 5 MiB \
                 makes it 7 MiB. It is not sent again; the run's report has all that would be in it.",
                place(job)
            ),
        )),
        (Asked::Sender, true) => denied(job, &sender(job, code, &answer)),
        (Asked::Recipient, true) => Trouble::One(Posted::Refused(
            ConditionReason::RecipientRefused,
            format!("{}: the server refused the recipient: {answer}. Correct or remove the address.", place(job)),
        )),
        (Asked::Mail, true) => Trouble::One(Posted::Refused(
            ConditionReason::RecipientRefused,
            format!("{}: the server refused the mail: {answer}. Ask whoever runs the mail server.", place(job)),
        )),
        // RFC 5321, 3.8: the server closes the connection.
        (_, false) if code == 421 => {
            Trouble::Broken(unreachable(job, &format!("the server ends the connection: {answer}.")))
        }
        (_, false) => Trouble::One(unreachable(job, &format!("the server wants it later: {answer}."))),
    }
}

/// Whether the mail is larger than the server or the mailbox takes (RFC 1870, 6.1; RFC 3463, 3.3 and 3.4), and not only too much
/// for a full mailbox.
fn too_large(code: u16, answer: &str) -> bool {
    match answer.split_whitespace().nth(1) {
        Some("5.2.3" | "5.3.4") => true,
        Some("5.2.2") => false,
        _ => code == 552,
    }
}

/// The server refuses the sender: it wants a login, or another address.
fn sender(job: &SmtpJob, code: u16, answer: &str) -> String {
    if code == 530 && job.login.is_none() {
        return format!(
            "the server wants a login (or encryption): {answer}. Put username and password into the Secret “{}”.",
            job.secret
        );
    }
    format!("the server refused the sender: {answer}. Write a report.email.from that it lets this login use.")
}

/// An error without an answer of the server.
fn silent(job: &SmtpJob, asked: Asked, error: &Error, why: &str) -> Trouble {
    if error.is_client() {
        return match asked {
            Asked::Login => denied(job, "the server offers neither PLAIN nor LOGIN to log in. Ask whoever runs it."),
            _ => denied(job, &format!("the server can't be used ({why}).")),
        };
    }
    match asked {
        Asked::Connection => Trouble::Server(unreachable(
            job,
            &format!(
                "no connection ({why}). If it stays so, check the url in the Secret “{}”, and firewalls.",
                job.secret
            ),
        )),
        Asked::Mail => Trouble::Broken(unreachable(
            job,
            &format!("the connection broke before the server said whether it took the mail ({why})."),
        )),
        Asked::Login | Asked::Sender | Asked::Recipient => {
            Trouble::Broken(unreachable(job, &format!("the connection broke ({why}).")))
        }
    }
}

/// What the server shows to be who it is is refused, or it speaks no TLS.
fn certificate(job: &SmtpJob, error: &Error) -> Option<Trouble> {
    let tls = trust::in_tls(error)?;
    let why = trust::refused(tls, &job.host, "report.email.caBundle", job.ca_bundle.is_some());
    Some(match why {
        Some(why) => denied(job, &format!("{why} No password was sent.")),
        None => Trouble::Server(unreachable(job, &format!("the encrypted connection did not come about ({tls})."))),
    })
}

/// The server's own words, or the system's.
fn answer(error: &Error) -> String {
    let words = error.source().map(ToString::to_string).unwrap_or_else(|| error.to_string());
    match error.status() {
        Some(code) => format!("{code} {}", words.trim().trim_end_matches('.')),
        None => words.trim().trim_end_matches('.').to_owned(),
    }
}

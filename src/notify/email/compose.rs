//! Compose: a letter becomes a whole mail (RFC 5322, MIME). What comes from people or files goes through the library's encoders
//! alone: RFC 2047 in subjects and names, RFC 2231 in names of attachments. Nothing can begin a header of its own.

use std::{fs::File, path::Path, time::SystemTime};

use data_encoding::HEXLOWER;
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Attachment as Attached, Body, Mailbox as Box, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use sha2::{Digest, Sha256};

use crate::{
    model::{
        job::SyncId,
        letter::{Attachment, Letter, LetterKind},
        notice::{MailJob, Mailbox},
        post::Heading,
    },
    sync::render::attachment::content,
};

/// The mail as it goes over the wire. The same letter and heading always give the same bytes. Fails with the reason in words.
pub fn compose(job: &MailJob, letter: &Letter, heading: &Heading, staged: &Path) -> Result<Vec<u8>, String> {
    let from = mailbox(&job.from)?;
    let domain = from.email.domain().to_owned();
    let message_id = format!("<{}.{}@{domain}>", heading.id, word(letter.kind));
    let thread = format!("<{}@{domain}>", thread(&heading.sync));
    let envelope =
        Envelope::new(Some(from.email.clone()), vec![from.email.clone()]).map_err(|error| error.to_string())?;
    let mut mail = Message::builder()
        .envelope(envelope)
        .date(SystemTime::from(heading.date))
        .from(from)
        .subject(plain(&letter.subject))
        .message_id(Some(message_id.clone()))
        .references(thread.clone())
        .in_reply_to(thread)
        .raw_header(header("List-Id", list(&heading.sync, &domain)))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(header("X-Auto-Response-Suppress", "All".to_owned()));
    if let Some(reply_to) = &job.reply_to {
        mail = mail.reply_to(mailbox(reply_to)?);
    }
    let (to, cc): (&[Mailbox], &[Mailbox]) = match letter.kind {
        LetterKind::FailedImport => (&job.failed_import_to, &[]),
        LetterKind::Summary | LetterKind::Alert => (&job.to, &job.cc),
    };
    for one in to {
        mail = mail.to(mailbox(one)?);
    }
    for one in cc {
        mail = mail.cc(mailbox(one)?);
    }
    if to.is_empty() && cc.is_empty() {
        mail = mail.raw_header(header("To", "undisclosed-recipients:;".to_owned()));
    }
    let boundary = |part: &str| HEXLOWER.encode(&Sha256::digest(format!("{part} {message_id}"))[..20]);
    let both = MultiPart::alternative()
        .boundary(boundary("alternative"))
        .singlepart(SinglePart::plain(letter.text.clone()))
        .singlepart(SinglePart::html(letter.html.clone()));
    let mail = if letter.attachments.is_empty() {
        mail.multipart(both)
    } else {
        let mut all = MultiPart::mixed().boundary(boundary("mixed")).multipart(both);
        for attachment in &letter.attachments {
            all = all.singlepart(attached(attachment, staged)?);
        }
        mail.multipart(all)
    };
    Ok(mail.map_err(|error| error.to_string())?.formatted())
}

/// A mailbox as the library knows it.
pub(super) fn mailbox(of: &Mailbox) -> Result<Box, String> {
    Ok(Box::new(of.name.as_deref().map(plain), address(&of.address)?))
}

/// An address as the library knows it.
pub(super) fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error| format!("“{}” is no e-mail address ({error})", plain(text)))
}

/// A text of one line: what would begin another one, or can't be seen, is a blank. What only looks encoded (RFC 2047) must not
/// be decoded by whoever reads it.
fn plain(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    line.replace("=?", "= ?")
}

fn attached(attachment: &Attachment, staged: &Path) -> Result<SinglePart, String> {
    let unread = |error: std::io::Error| format!("{} can't be read: {error}", attachment.file);
    let file = File::open(staged.join(&attachment.file)).map_err(unread)?;
    let bytes = content(attachment, file).map_err(unread)?;
    let packed = attachment.name.ends_with(".gz");
    let kind = ContentType::parse(if packed { "application/gzip" } else { "text/csv; charset=utf-8" });
    let kind = kind.map_err(|error| error.to_string())?;
    // As it is, to the byte: not even line ends are touched.
    let body = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64);
    let body = body.map_err(|_| format!("{} can't be encoded", attachment.file))?;
    let name: String = plain(&attachment.name).replace(['"', '\\', '/'], "_");
    Ok(Attached::new(name).body(body, kind))
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// What all mails of a sync refer to: they form one thread.
fn thread(sync: &SyncId) -> String {
    let instance = HEXLOWER.encode(&Sha256::digest(&sync.instance)[..4]);
    format!("{}.{}.{instance}.usersync", sync.name, sync.namespace)
}

/// `sync hr <hr.default.usersync.example.com>` (RFC 2919).
fn list(sync: &SyncId, domain: &str) -> String {
    format!("sync {sync} <{}.{}.usersync.{domain}>", sync.name, sync.namespace)
}

/// The kind in one word.
fn word(kind: LetterKind) -> &'static str {
    match kind {
        LetterKind::Summary => "summary",
        LetterKind::FailedImport => "failed-import",
        LetterKind::Alert => "alert",
    }
}

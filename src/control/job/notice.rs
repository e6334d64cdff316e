//! The part of a job that says who is told: mail and webhook.

use email_address::EmailAddress;
use jiff::tz::TimeZone;

use super::{JobProblem, secrets::Reader};
use crate::{
    api::{
        UserSyncSpec,
        usersync::report::{EmailSpec, WebhookSpec},
    },
    model::{
        notice::{MailJob, Mailbox, NoticeJob, SmtpJob, SmtpLogin, SmtpSecurity, WebhookJob},
        secret::Secret,
    },
};

const SMTP: &str = "spec.report.email.smtp";
/// What a Secret for mail holds, for messages.
const KEYS: &str = "the key url (smtps://mail.example.com), and username and password if the server wants them";

/// Who is told of a sync's runs, and what the Secrets weaken.
pub fn notice(spec: &UserSyncSpec, secrets: &Reader<'_>) -> Result<(NoticeJob, Vec<String>), Vec<JobProblem>> {
    let zone = shown_in(spec);
    let Some(report) = &spec.report else { return Ok((NoticeJob { zone, ..NoticeJob::default() }, Vec::new())) };
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    let mail = report
        .email
        .as_ref()
        .and_then(|email| mail(email, secrets, &mut warnings).map_err(|problems| found.extend(problems)).ok());
    let webhook = report
        .webhook
        .as_ref()
        .and_then(|hook| webhook(hook, secrets, &mut warnings).map_err(|problems| found.extend(problems)).ok());
    if found.is_empty() { Ok((NoticeJob { mail, webhook, zone }, warnings)) } else { Err(found) }
}

/// The time zone in which people are shown times: the schedule's.
pub fn shown_in(spec: &UserSyncSpec) -> TimeZone {
    let zone = spec.schedule.as_ref().and_then(|schedule| TimeZone::get(&schedule.time_zone).ok());
    zone.unwrap_or(TimeZone::UTC)
}

/// Problems of the addresses; needs no Secret.
pub fn problems(spec: &UserSyncSpec) -> Vec<JobProblem> {
    let Some(email) = spec.report.as_ref().and_then(|report| report.email.as_ref()) else { return Vec::new() };
    let lists =
        [("to", &email.to), ("cc", &email.cc), ("bcc", &email.bcc), ("failedImportTo", &email.failed_import_to)];
    let listed = lists.into_iter().flat_map(|(name, list)| {
        list.iter().enumerate().map(move |(index, text)| (format!("spec.report.email.{name}[{index}]"), text))
    });
    let reply_to = email.reply_to.iter().map(|text| ("spec.report.email.replyTo".to_owned(), text));
    let from = [("spec.report.email.from".to_owned(), &email.from)];
    let all = from.into_iter().chain(reply_to).chain(listed);
    all.filter_map(|(field, text)| mailbox(text).err().map(|why| JobProblem::new(field, why))).collect()
}

fn mail(email: &EmailSpec, secrets: &Reader<'_>, warnings: &mut Vec<String>) -> Result<MailJob, Vec<JobProblem>> {
    let mut found = Vec::new();
    let smtp = smtp(email, secrets, warnings).map_err(|problems| found.extend(problems)).ok();
    // What is wrong with addresses `problems` has said already.
    let all = |list: &[String]| -> Vec<Mailbox> { list.iter().filter_map(|text| mailbox(text).ok()).collect() };
    let (Some(smtp), Ok(from)) = (smtp, mailbox(&email.from)) else { return Err(found) };
    Ok(MailJob {
        smtp,
        from,
        reply_to: email.reply_to.as_ref().and_then(|text| mailbox(text).ok()),
        to: all(&email.to),
        cc: all(&email.cc),
        to_anyone: [&email.to, &email.cc, &email.bcc].iter().any(|list| !list.is_empty()),
        failed_import_to: all(&email.failed_import_to),
        when: email.when,
        simulations: email.simulations,
    })
}

fn smtp(email: &EmailSpec, secrets: &Reader<'_>, warnings: &mut Vec<String>) -> Result<SmtpJob, Vec<JobProblem>> {
    let one = |problem| vec![problem];
    let name = &email.smtp.name;
    secrets.exists(SMTP, name, KEYS).map_err(one)?;
    let problem = |why: String| vec![JobProblem::new(SMTP, format!("the Secret “{name}” {why}"))];
    let url = secrets.optional(name, "url").ok_or_else(|| {
        problem(
            "has no key “url”, or it is empty: add it; it holds where the mail server is: smtps://mail.example.com"
                .into(),
        )
    })?;
    let place = SmtpUrl::parse(url.expose()).map_err(|why| problem(format!("has a url that can't be used: {why}")))?;
    let username = secrets.optional(name, "username").map(|secret| secret.expose().trim().to_owned());
    let login = match (username, secrets.optional(name, "password")) {
        (Some(username), Some(password)) => Some(SmtpLogin { username, password }),
        (None, None) => None,
        (Some(_), None) => return Err(problem("has a username and no “password”: add it, or remove both".into())),
        (None, Some(_)) => return Err(problem("has a password and no “username”: add it, or remove both".into())),
    };
    let bundle = email.ca_bundle.as_ref().map(|bundle| secrets.bundle("spec.report.email.caBundle", bundle));
    if place.security == SmtpSecurity::Plain && !loopback(&place.host) {
        let password = if login.is_some() { "the password and " } else { "" };
        warnings.push(format!(
            "report.email: the url in the Secret “{name}” says tls=none: {password}the mails cross the network in the clear"
        ));
    }
    Ok(SmtpJob {
        host: place.host,
        port: place.port,
        security: place.security,
        login,
        ca_bundle: bundle.transpose().map_err(one)?,
        secret: name.clone(),
    })
}

/// Where a mail server is: `smtp://`, `smtp+starttls://` or `smtps://`, host, perhaps a port, perhaps `?tls=none`.
#[derive(Debug, PartialEq, Eq)]
struct SmtpUrl {
    host: String,
    port: u16,
    security: SmtpSecurity,
}

impl SmtpUrl {
    /// Says what is wrong without the URL's text: there may be a password in it.
    fn parse(url: &str) -> Result<Self, String> {
        const FORM: &str =
            "write smtps://HOST, smtp+starttls://HOST or smtp://HOST, with :PORT if it is not the usual one";
        let (scheme, rest) = url.trim().split_once("://").ok_or(FORM)?;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err("it has a name or password in it: put those into the keys username and password".to_owned());
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let plain = |c: char| c.is_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(format!("it names no host; {FORM}"));
        }
        let port =
            port.map(|port| port.parse().ok().filter(|port| *port > 0).ok_or("its port is no number from 1 to 65535"));
        let port = port.transpose()?;
        let none = match query {
            None => false,
            Some("tls=none") => true,
            Some(_) => return Err("behind the ? only tls=none is known".to_owned()),
        };
        let (usual, security) = match scheme.to_ascii_lowercase().as_str() {
            "smtps" => (465, SmtpSecurity::Implicit),
            "smtp+starttls" => (587, SmtpSecurity::StartTls),
            "smtp" if none || loopback(host) => (25, SmtpSecurity::Plain),
            "smtp" => (25, SmtpSecurity::StartTls),
            _ => return Err(FORM.to_owned()),
        };
        if none && security != SmtpSecurity::Plain {
            return Err("tls=none goes with smtp:// alone".to_owned());
        }
        Ok(Self { host: host.to_owned(), port: port.unwrap_or(usual), security })
    }
}

/// Whether this is this machine (`localhost`, `127.0.0.0/8`, `::1`): nobody else listens in between.
fn loopback(host: &str) -> bool {
    let parts: Vec<_> = host.split('.').map(str::parse::<u8>).collect();
    let four = parts.len() == 4 && parts.iter().all(Result::is_ok) && parts.first() == Some(&Ok(127));
    four || host == "::1" || host.eq_ignore_ascii_case("localhost")
}

/// `hr@example.com`, `HR <hr@example.com>` or `"Müller, HR" <hr@example.com>`.
pub fn mailbox(text: &str) -> Result<Mailbox, String> {
    if text.chars().any(char::is_control) {
        return Err("has a line break or another control character in it: remove it".to_owned());
    }
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (unquoted(name.trim()), address.trim()),
        None => (String::new(), text),
    };
    let shown = || format!("“{address}” is no e-mail address: write hr@example.com, or Name <hr@example.com>");
    let (local, domain) = address.rsplit_once('@').ok_or_else(shown)?;
    let domain = idna::domain_to_ascii(domain).map_err(|_| shown())?;
    let address = format!("{local}@{domain}");
    if !EmailAddress::is_valid(&address) || address.contains(['"', '<', '>', ',', ';', ' ']) {
        return Err(shown());
    }
    Ok(Mailbox { name: Some(name).filter(|name| !name.is_empty()), address })
}

/// A display name without the quotes around it (RFC 5322, 3.2.4).
fn unquoted(name: &str) -> String {
    let Some(quoted) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return name.to_owned() };
    let mut text = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next()),
            letter => text.push(letter),
        }
    }
    text
}

fn webhook(
    hook: &WebhookSpec,
    secrets: &Reader<'_>,
    warnings: &mut Vec<String>,
) -> Result<WebhookJob, Vec<JobProblem>> {
    let field = "spec.report.webhook.url";
    let mut found = Vec::new();
    let mut keep = |value: Result<Secret, JobProblem>| value.map_err(|problem| found.push(problem)).ok();
    let url = keep(secrets.required(field, &hook.url.secret_key_ref, "the URL to post to: https://…"));
    let key = &hook.signing_key.secret_key_ref;
    let key = keep(secrets.required("spec.report.webhook.signingKey", key, "the key that signs what is posted"));
    let bundle =
        hook.ca_bundle.as_ref().map(|bundle| secrets.bundle("spec.report.webhook.caBundle", bundle)).transpose();
    let bundle = bundle.map_err(|problem| found.push(problem)).ok();
    let (Some(url), Some(signing_key), Some(ca_bundle)) = (url, key, bundle) else { return Err(found) };
    let text = url.expose().trim();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match authority.filter(|authority| !authority.is_empty()) {
        None => {
            let name = &hook.url.secret_key_ref.name;
            let message = format!("what the Secret “{name}” holds is no URL to post to: it must begin with https://");
            return Err(vec![JobProblem::new(field, message)]);
        }
        Some(authority) if text.starts_with("http://") => {
            let host = authority.rsplit('@').next().unwrap_or_default();
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_matches(['[', ']']);
            if !loopback(host) {
                warnings.push(
                    "report.webhook: the URL begins with http://: what is posted crosses the network in the clear"
                        .into(),
                );
            }
        }
        Some(_) => {}
    }
    Ok(WebhookJob { url: Secret::new(text), signing_key, ca_bundle })
}

#[cfg(test)]
#[path = "notice_tests.rs"]
mod tests;

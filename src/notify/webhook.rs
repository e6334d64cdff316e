//! Webhook: a run's `report.json`, posted and signed.
//!
//! `UserSync-Signature: t=SECONDS,v1=HEX` holds the time in Unix seconds and HMAC-SHA256 (RFC 2104) over `SECONDS.BODY`, so that
//! a receiver sees who it is from and that it is no old one played again. `UserSync-Delivery` is the same for each try of the same
//! delivery, and of no other.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Error, StatusCode, Url, header::CONTENT_TYPE, redirect::Policy};
use sha2::Sha256;

use crate::{
    model::{
        condition::ConditionReason,
        notice::WebhookJob,
        post::{Parcel, Posted},
        secret::Secret,
    },
    sync::render::text::visible_cut,
    trust,
};

/// How long to wait for the webhook's server.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Until the connection stands.
    connect: Duration,
    /// Until the answer is there, the connection included.
    answer: Duration,
}

impl Limits {
    const USUAL: Self = Self { connect: Duration::from_secs(15), answer: Duration::from_secs(30) };
}

/// Redirects that are followed, on the same host.
const REDIRECTS: usize = 3;
/// Posts that may fail before the rest has to wait.
const FAILURES: usize = 2;

/// Posts each body; says for each in their order what became of it.
pub(super) async fn post(job: &WebhookJob, parcels: &[&Parcel]) -> Vec<Posted> {
    within(job, parcels, Limits::USUAL).await
}

async fn within(job: &WebhookJob, parcels: &[&Parcel], limits: Limits) -> Vec<Posted> {
    let (client, url) = match client(job, limits) {
        Ok(ready) => ready,
        Err(why) => return parcels.iter().map(|_| waiting(why.clone())).collect(),
    };
    let mut posted: Vec<Posted> = Vec::new();
    for parcel in parcels {
        let failed = posted.iter().rev().take_while(|one| matches!(one, Posted::Waiting(..))).count();
        let one = match posted.last() {
            Some(same) if failed >= FAILURES => same.clone(),
            _ => one(&client, &url, job, parcel, limits).await,
        };
        posted.push(one);
    }
    posted
}

fn waiting(why: String) -> Posted {
    Posted::Waiting(ConditionReason::WebhookFailed, format!("{why}. It is tried again."))
}

fn client(job: &WebhookJob, limits: Limits) -> Result<(Client, Url), String> {
    // What the parser says may quote the URL, which is a secret.
    let url = Url::parse(job.url.expose())
        .map_err(|_| "report.webhook.url is no URL: correct it in its Secret".to_owned())?;
    let tls = trust::config(job.ca_bundle.as_deref(), "report.webhook.caBundle")?;
    let policy = Policy::custom(|attempt| {
        let first = attempt.previous().first();
        let same = first.is_some_and(|first| {
            (first.scheme(), first.host_str(), first.port_or_known_default())
                == (attempt.url().scheme(), attempt.url().host_str(), attempt.url().port_or_known_default())
        });
        // The others turn a POST into a GET (RFC 9110, 15.4).
        let posts = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&attempt.status());
        if same && posts && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
    });
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(policy)
        .connect_timeout(limits.connect)
        .timeout(limits.answer)
        .user_agent(concat!("usersync/", env!("CARGO_PKG_VERSION")))
        .build();
    client.map(|client| (client, url)).map_err(|error| format!("the webhook can't be called on this machine ({error})"))
}

async fn one(client: &Client, url: &Url, job: &WebhookJob, parcel: &Parcel, limits: Limits) -> Posted {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let sent = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("UserSync-Delivery", &parcel.id)
        .header("UserSync-Signature", signature(&job.signing_key, seconds, &parcel.body))
        .body(parcel.body.to_vec())
        .send();
    let place = place(url);
    match sent.await {
        Ok(answer) => sorted(&place, answer.status()),
        Err(error) => waiting(failed(&place, url, job, limits, error)),
    }
}

/// `t=1795428000,v1=9f86…`
pub fn signature(key: &Secret, seconds: u64, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    format!("t={seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// Scheme, host and port: the rest of the URL may be a secret.
fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// What an answer means: whether it makes sense to try again.
fn sorted(place: &str, status: StatusCode) -> Posted {
    let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_success() {
        Posted::Sent
    } else if status.is_server_error() || later.contains(&status) {
        waiting(format!("{place}: the webhook's server answered {status}"))
    } else if status.is_redirection() {
        Posted::Refused(
            ConditionReason::WebhookFailed,
            format!(
                "{place}: the webhook's server answered {status}; nothing is posted to other places than the manifest names. Write the final URL into the Secret"
            ),
        )
    } else {
        Posted::Refused(
            ConditionReason::WebhookFailed,
            format!(
                "{place}: the webhook's server refused the POST: {status}. Check the URL, and the signing key on both sides"
            ),
        )
    }
}

fn failed(place: &str, url: &Url, job: &WebhookJob, limits: Limits, error: Error) -> String {
    let host = url.host_str().unwrap_or_default();
    let tls = trust::in_tls(&error);
    let given = job.ca_bundle.is_some();
    if let Some(why) = tls.and_then(|tls| trust::refused(tls, host, "report.webhook.caBundle", given)) {
        return format!("{place}: {}", why.trim_end_matches('.'));
    }
    if error.is_timeout() {
        let seconds = limits.answer.as_secs();
        return format!("{place}: the webhook's server did not answer within {seconds} s");
    }
    let error = error.without_url();
    let mut why = error.to_string();
    let mut below = std::error::Error::source(&error);
    while let Some(cause) = below {
        why = cause.to_string();
        below = cause.source();
    }
    let what = if error.is_connect() { "no connection" } else { "the POST broke off" };
    format!("{place}: {what} ({})", visible_cut(&why, 200))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::DeliveryKind;

    #[test]
    fn time_and_body_are_signed() {
        // printf '1.what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe
        let body = b"what do ya want for nothing?";
        let found = signature(&Secret::new("Jefe"), 1, body);
        assert_eq!(found, "t=1,v1=a9049465ce89cfb8e9aac62333abda66f80e3403f51f57f6bae3c3a4485eca38");
        assert_ne!(found, signature(&Secret::new("jefe"), 1, body).replace("t=2", "t=1"));
        let later = signature(&Secret::new("Jefe"), 2, body);
        assert_ne!(found.split_once(',').unwrap().1, later.split_once(',').unwrap().1);
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_left_after_a_while() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let job = WebhookJob {
            url: Secret::new(format!("http://{}/in?token=t0p", silent.local_addr().unwrap())),
            signing_key: Secret::new("s3cret"),
            ca_bundle: None,
        };
        let parcel = |n: u32| Parcel {
            kind: DeliveryKind::Webhook,
            to: "webhook".to_owned(),
            id: format!("hr-{n}.webhook"),
            body: Arc::from(&b"{}"[..]),
        };
        let parcels = [1, 2, 3].map(parcel);
        let limits = Limits { connect: Duration::from_secs(5), answer: Duration::from_secs(1) };
        let posted = within(&job, &parcels.iter().collect::<Vec<_>>(), limits).await;
        for posted in &posted {
            let Posted::Waiting(ConditionReason::WebhookFailed, why) = posted else { panic!("{posted:?}") };
            assert!(why.contains("did not answer within 1 s. It is tried again."), "{why}");
            assert!(!why.contains("t0p") && !why.contains("s3cret"), "{why}");
        }
        silent.set_nonblocking(true).unwrap();
        let tried = std::iter::from_fn(|| silent.accept().ok()).count();
        assert_eq!((posted.len(), tried), (3, FAILURES), "the rest waits without a try of its own");
    }

    #[test]
    fn answers_are_sorted() {
        for (status, state) in [
            (200, "sent"),
            (204, "sent"),
            (302, "refused"),
            (307, "refused"),
            (400, "refused"),
            (401, "refused"),
            (408, "waiting"),
            (410, "refused"),
            (429, "waiting"),
            (500, "waiting"),
            (503, "waiting"),
        ] {
            let found = match sorted("https://x", StatusCode::from_u16(status).unwrap()) {
                Posted::Sent => "sent",
                Posted::Refused(..) => "refused",
                Posted::Waiting(..) => "waiting",
            };
            assert_eq!(found, state, "{status}");
        }
    }
}

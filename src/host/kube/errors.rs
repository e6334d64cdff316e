//! What goes wrong with the API server, sorted once.

use std::{error::Error, time::Duration};

use kube::core::Status;

use crate::ports::HostError;

/// The longest that the API server may take for an answer: a server that hangs is a server that is away.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the API server; `doing` says what for: `read UserSync people/hr`.
pub async fn ask<T>(doing: &str, request: impl Future<Output = kube::Result<T>>) -> Result<T, HostError> {
    within(PATIENCE, doing, request).await
}

/// Asks the API server and waits no longer than that.
pub async fn within<T>(
    patience: Duration,
    doing: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, HostError> {
    match tokio::time::timeout(patience, request).await {
        Ok(answer) => answer.map_err(|error| sorted(doing, &error)),
        Err(_) => {
            Err(HostError::Unreachable(format!("could not {doing}: the API server gave no answer within {patience:?}")))
        }
    }
}

/// The error, in the host's words.
pub fn sorted(doing: &str, error: &kube::Error) -> HostError {
    match error {
        kube::Error::Api(status) => answered(doing, status),
        other => {
            HostError::Unreachable(format!("could not {doing}: the API server can't be reached: {}", chain(other)))
        }
    }
}

/// Whether the API server said that there is no object of that name; otherwise it may not know the kind.
pub fn none_of_that_name(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 && names_an_object(status))
}

/// Whether the API server can't apply to the object because what it says already doesn't fit its definition.
pub fn untyped(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 500 && status.message.starts_with("failed to create typed live"))
}

fn names_an_object(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| !details.name.is_empty())
}

fn answered(doing: &str, status: &Status) -> HostError {
    let said = format!("could not {doing}: {}", said(status));
    match (status.code, status.reason.as_str()) {
        (409, "AlreadyExists") => HostError::Exists(said),
        (409, _) => HostError::Conflict(said),
        (404, _) if names_an_object(status) => HostError::Gone(said),
        (404, _) => HostError::Unreachable(format!(
            "could not {doing}: the API server does not know UserSync: install the definitions (usersync crds | kubectl apply \
             --server-side -f -)"
        )),
        (401, _) => HostError::Unreachable(format!("{said}: this process's credentials are not, or no longer, valid")),
        (403, _) if terminating(status) => HostError::Refused(said),
        (403, _) => HostError::Refused(format!("{said}: grant that right to this process's service account")),
        (400 | 405 | 410 | 413 | 415 | 422, _) => HostError::Refused(said),
        _ => HostError::Unreachable(said),
    }
}

/// Nothing is made any more in a namespace that is being deleted.
fn terminating(status: &Status) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// The server's own words, or its status code where there are none.
fn said(status: &Status) -> String {
    let message = status.message.trim();
    if message.is_empty() { format!("the API server answers with status {}", status.code) } else { message.to_owned() }
}

/// An error and what it comes from, each once.
fn chain(error: &dyn Error) -> String {
    let mut said = String::new();
    let mut next = error.source().or(Some(error));
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = if said.is_empty() { text } else { format!("{said}: {text}") };
        }
        next = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16, reason: &str, name: &str) -> kube::Error {
        let details = serde_json::json!({"name": name, "kind": "usersyncs"});
        let status = serde_json::json!({"code": code, "reason": reason, "message": "no", "details": details});
        kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn each_answer_is_sorted_once() {
        let kind = |error: &HostError| match error {
            HostError::Conflict(_) => "conflict",
            HostError::Exists(_) => "exists",
            HostError::Gone(_) => "gone",
            HostError::Refused(_) => "refused",
            HostError::Unreachable(_) => "unreachable",
        };
        for (code, reason, name, expected) in [
            (409, "AlreadyExists", "hr-1", "exists"),
            (409, "Conflict", "hr", "conflict"),
            (404, "NotFound", "hr", "gone"),
            (404, "NotFound", "", "unreachable"),
            (403, "Forbidden", "hr", "refused"),
            (422, "Invalid", "hr", "refused"),
            (401, "Unauthorized", "", "unreachable"),
            (429, "TooManyRequests", "", "unreachable"),
            (500, "InternalError", "", "unreachable"),
            (503, "ServiceUnavailable", "", "unreachable"),
            (504, "Timeout", "", "unreachable"),
        ] {
            assert_eq!(kind(&sorted("read UserSync people/hr", &api(code, reason, name))), expected, "{code} {reason}");
        }
    }

    #[test]
    fn only_a_named_object_is_gone() {
        assert!(none_of_that_name(&api(404, "NotFound", "hr")));
        assert!(!none_of_that_name(&api(404, "NotFound", "")));
    }

    #[tokio::test]
    async fn a_server_that_hangs_is_away() {
        let never = std::future::pending::<kube::Result<()>>();
        let error = within(Duration::from_millis(1), "read UserSync people/hr", never).await.unwrap_err();
        assert_eq!(error.to_string(), "could not read UserSync people/hr: the API server gave no answer within 1ms");
    }
}

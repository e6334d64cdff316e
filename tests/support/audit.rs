//! The API server's audit log: who asked for what, and what became of it.

use std::{collections::HashSet, fs, path::Path};

use serde_json::Value;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// `usersyncs`; empty for what is no resource, such as `/readyz`.
    pub resource: String,
    /// `status`, or empty.
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    /// `system:serviceaccount:NAMESPACE:NAME`, `admin`.
    pub user: String,
    pub user_agent: String,
    /// The HTTP status.
    pub code: u16,
    /// When the request came.
    pub time: jiff::Timestamp,
    /// The path and query.
    pub uri: String,
}

impl AuditEvent {
    /// Whether it asked for a change.
    pub fn writes(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }
}

/// Every request, without bodies.
pub const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
";

/// Reads a log; a watch is written down when it starts and when it ends, and counts when it starts.
pub fn read(path: &Path) -> Vec<AuditEvent> {
    let log = fs::read_to_string(path).expect("the cluster is not audited: Cluster::builder().audit_log()");
    let mut seen = HashSet::new();
    // The last line may be in the middle of being written.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| seen.insert(event["auditID"].as_str().unwrap().to_owned()))
        .map(|event| {
            let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            AuditEvent {
                verb: text("/verb"),
                resource: text("/objectRef/resource"),
                subresource: text("/objectRef/subresource"),
                namespace: text("/objectRef/namespace"),
                name: text("/objectRef/name"),
                user: text("/user/username"),
                user_agent: text("/userAgent"),
                code: event["responseStatus"]["code"].as_u64().unwrap_or_default() as u16,
                time: text("/requestReceivedTimestamp").parse().unwrap(),
                uri: text("/requestURI"),
            }
        })
        .collect()
}

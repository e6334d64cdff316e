//! What the operator's account may do, and what it may not: asked of the API server's own authorizer.

use std::time::Duration;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};

use crate::{helm::rendered_in, support::cluster::Cluster};

/// Verb, resource (`group/resource`, `resource/subresource`) and whether it may, in a namespace that is looked after.
const IN_A_NAMESPACE: &[(&str, &str, bool)] = &[
    ("list", "usersync.dev usersyncs", true),
    ("watch", "usersync.dev usersyncs", true),
    ("get", "usersync.dev usersyncs", true),
    ("patch", "usersync.dev usersyncs/status", true),
    ("list", "usersync.dev usersyncruns", true),
    ("watch", "usersync.dev usersyncruns", true),
    ("get", "usersync.dev usersyncruns", true),
    ("create", "usersync.dev usersyncruns", true),
    ("delete", "usersync.dev usersyncruns", true),
    ("patch", "usersync.dev usersyncruns/status", true),
    ("get", " secrets", true),
    ("get", " configmaps", true),
    ("create", "events.k8s.io events", true),
    // Nothing of what people write.
    ("create", "usersync.dev usersyncs", false),
    ("update", "usersync.dev usersyncs", false),
    ("patch", "usersync.dev usersyncs", false),
    ("delete", "usersync.dev usersyncs", false),
    ("update", "usersync.dev usersyncs/status", false),
    ("update", "usersync.dev usersyncruns", false),
    ("patch", "usersync.dev usersyncruns", false),
    ("deletecollection", "usersync.dev usersyncruns", false),
    // Of Secrets none but those that a sync names.
    ("list", " secrets", false),
    ("watch", " secrets", false),
    ("create", " secrets", false),
    ("patch", " secrets", false),
    ("delete", " secrets", false),
    ("list", " configmaps", false),
    ("list", "events.k8s.io events", false),
    ("patch", "events.k8s.io events", false),
    // Nothing that would run something, or give rights.
    ("create", " pods", false),
    ("create", " pods/exec", false),
    ("create", "batch jobs", false),
    ("create", " serviceaccounts/token", false),
    ("impersonate", " users", false),
    ("create", "rbac.authorization.k8s.io rolebindings", false),
    ("get", "apiextensions.k8s.io customresourcedefinitions", false),
    ("list", " namespaces", false),
    ("get", "coordination.k8s.io leases", false),
];

#[tokio::test]
async fn cluster_wide_it_may_do_what_it_uses_and_no_more() {
    let (cluster, home, elsewhere) = places();
    install(cluster, &home, &["rbac.userRoles=false", "crds.install=false", "fullnameOverride=wide"]);
    let account = Account::of(cluster, &home, "wide").await;
    account.may(IN_A_NAMESPACE, &elsewhere).await;
    account.may_have_the_lease(&home, &elsewhere).await;
}

#[tokio::test]
async fn in_chosen_namespaces_it_may_do_the_same_and_nothing_elsewhere() {
    let (cluster, home, elsewhere) = places();
    let chosen = [cluster.create_namespace("people"), cluster.create_namespace("school")];
    let namespaces = format!("namespaces={{{}}}", chosen.join(","));
    install(cluster, &home, &["rbac.userRoles=false", "crds.install=false", "fullnameOverride=narrow", &namespaces]);
    let account = Account::of(cluster, &home, "narrow").await;
    for namespace in &chosen {
        account.may(IN_A_NAMESPACE, namespace).await;
    }
    let nothing: Vec<_> = IN_A_NAMESPACE.iter().map(|(verb, resource, _)| (*verb, *resource, false)).collect();
    account.may(&nothing, &elsewhere).await;
    // Not even beside itself: its own Secrets, such as a registry's password, are no sync's.
    let beside: Vec<_> = nothing.iter().filter(|(_, resource, _)| !resource.contains("leases")).copied().collect();
    account.may(&beside, &home).await;
    account.may_have_the_lease(&home, &chosen[0]).await;
}

/// What people with Kubernetes' own roles may do.
#[tokio::test]
async fn who_may_view_or_edit_a_namespace_may_view_or_edit_its_syncs() {
    let (cluster, home, namespace) = places();
    install(cluster, &home, &["crds.install=false", "fullnameOverride=people"]);
    for role in ["view", "edit", "admin"] {
        // Aggregation is a controller's work; here the two roles are given as it would.
        let parts: &[&str] = if role == "view" { &["people-view"] } else { &["people-view", "people-edit"] };
        for part in parts {
            let labels = cluster.get(&["clusterrole", part]).unwrap()["metadata"]["labels"].clone();
            assert_eq!(labels[format!("rbac.authorization.k8s.io/aggregate-to-{role}")], "true", "{part} to {role}");
            let (name, part, user) =
                (format!("{role}-{part}"), format!("--clusterrole={part}"), format!("--user={role}"));
            cluster.ok(&["create", "rolebinding", &name, &part, &user, "-n", &namespace]);
        }
        let person = Account { client: cluster.client().await, name: role.to_owned() };
        let edits = role != "view";
        let expected = [
            ("get", "usersync.dev usersyncruns", true),
            ("create", "usersync.dev usersyncs", edits),
            ("patch", "usersync.dev usersyncs", edits),
            ("delete", "usersync.dev usersyncs", edits),
            // To approve is to annotate.
            ("patch", "usersync.dev usersyncruns", edits),
            ("delete", "usersync.dev usersyncruns", edits),
            ("create", "usersync.dev usersyncruns", false),
            ("patch", "usersync.dev usersyncs/status", false),
            ("patch", "usersync.dev usersyncruns/status", false),
        ];
        person.may(&expected, &namespace).await;
    }
}

/// The cluster, a namespace to install in, and one more.
fn places() -> (&'static Cluster, String, String) {
    let cluster = Cluster::shared();
    (cluster, cluster.create_namespace("usersync"), cluster.create_namespace("elsewhere"))
}

fn install(cluster: &Cluster, namespace: &str, values: &[&str]) {
    cluster.apply(&rendered_in(namespace, values));
}

/// Somebody whose rights are asked for.
struct Account {
    client: Client,
    name: String,
}

impl Account {
    async fn of(cluster: &Cluster, namespace: &str, name: &str) -> Self {
        Self { client: cluster.client().await, name: format!("system:serviceaccount:{namespace}:{name}") }
    }

    async fn may(&self, expected: &[(&str, &str, bool)], namespace: &str) {
        for (verb, resource, _) in expected.iter().filter(|(.., expected)| *expected) {
            self.waits_for(verb, resource, namespace).await;
        }
        for (verb, resource, expected) in expected {
            let allowed = self.asks(verb, resource, None, namespace).await;
            assert_eq!(allowed, *expected, "{}: {verb} {resource} in {namespace}", self.name);
        }
    }

    /// The Lease is at home, and no other is its business; making one can't be limited to a name.
    async fn may_have_the_lease(&self, home: &str, elsewhere: &str) {
        let leases = "coordination.k8s.io leases";
        for (verb, name, namespace, expected) in [
            ("create", None, home, true),
            ("get", Some("usersync"), home, true),
            ("update", Some("usersync"), home, true),
            ("patch", Some("usersync"), home, false),
            ("get", Some("another"), home, false),
            ("update", Some("another"), home, false),
            ("list", None, home, false),
            ("delete", Some("usersync"), home, false),
            ("create", None, elsewhere, false),
            ("get", Some("usersync"), elsewhere, false),
        ] {
            let allowed = self.asks(verb, leases, name, namespace).await;
            assert_eq!(allowed, expected, "{}: {verb} the lease {name:?} in {namespace}", self.name);
        }
    }

    /// The authorizer hears of new roles a moment later.
    async fn waits_for(&self, verb: &str, resource: &str, namespace: &str) {
        let limit = tokio::time::Instant::now() + Duration::from_secs(30);
        while !self.asks(verb, resource, None, namespace).await {
            assert!(tokio::time::Instant::now() < limit, "{} may not {verb} {resource} in {namespace}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn asks(&self, verb: &str, resource: &str, name: Option<&str>, namespace: &str) -> bool {
        let (group, resource) = resource.split_once(' ').unwrap();
        let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(a, b)| (a, Some(b)));
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(self.name.clone()),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(verb.to_owned()),
                    group: Some(group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource: subresource.map(str::to_owned),
                    name: name.map(str::to_owned),
                    namespace: Some(namespace.to_owned()),
                    ..Default::default()
                }),
                ..Default::default()
            },
            ..Default::default()
        };
        let answer = Api::all(self.client.clone()).create(&PostParams::default(), &review).await.unwrap();
        answer.status.unwrap().allowed
    }
}

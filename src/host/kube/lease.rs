//! Who of several replicas is at work: a Lease (`coordination.k8s.io/v1`). It keeps two from working at once as a rule; that
//! nothing is done twice even so is what claims and the ledger's fence are for.
//!
//! Another's Lease counts as given up when nothing has moved in it for as long as it says, by this machine's own clock that
//! only goes forward: clocks of different machines are never compared. Every write carries the resource version that was read.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};

use super::{
    connect::random,
    errors::{none_of_that_name, sorted, within},
};
use crate::{api::MANAGER, ports::HostError};

/// The Lease's name.
pub const NAME: &str = "usersync";
/// How long a Lease is good for after it was last renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How long a leader goes on that could not renew: well before anybody else may take over.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a leader renews.
const RENEW: Duration = Duration::from_secs(5);
/// How often a standby looks, and a leader that could not renew tries again.
const RETRY: Duration = Duration::from_secs(2);
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A candidate, or the leader.
pub struct Election {
    api: Api<Lease>,
    namespace: String,
    identity: String,
}

/// The Lease is this process's, as long as it is renewed.
pub struct Leadership {
    election: Election,
    lease: Lease,
    renewed: Instant,
}

/// What a standby saw of somebody else's Lease, and since when.
struct Watched {
    version: Option<String>,
    since: Instant,
}

impl Election {
    /// A candidate for the Lease in that namespace; `name` is that of the process, for people.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        let identity = format!("{name}_{:08x}", random() as u32);
        Self { api: Api::namespaced(client, namespace), namespace: namespace.to_owned(), identity }
    }

    /// Waits until this process is the leader.
    pub async fn win(self) -> Leadership {
        let mut watched: Option<Watched> = None;
        let mut said = None;
        loop {
            let now = Instant::now();
            match self.try_once(&mut watched, now).await {
                Ok(Ok(lease)) => {
                    info!("leading: Lease {}/{NAME} is held by {}", self.namespace, self.identity);
                    return Leadership { election: self, lease, renewed: now };
                }
                Ok(Err(holder)) => {
                    let news = format!("standing by: Lease {}/{NAME} is held by {holder}", self.namespace);
                    if said.as_ref() != Some(&news) {
                        info!("{news}");
                        said = Some(news);
                    }
                }
                // Somebody else was faster.
                Err(HostError::Conflict(_) | HostError::Exists(_)) => debug!("the Lease went to somebody else"),
                Err(error) => {
                    let news = error.to_string();
                    if said.as_ref() != Some(&news) {
                        warn!("{news}; trying again until it works");
                        said = Some(news);
                    }
                }
            }
            sleep(RETRY).await;
        }
    }

    /// Takes the Lease if nobody has it (any more); else says who does.
    async fn try_once(&self, watched: &mut Option<Watched>, now: Instant) -> Result<Result<Lease, String>, HostError> {
        let Some(mut lease) = self.read().await? else {
            let lease = Lease { metadata: metadata(), spec: Some(self.mine(None)) };
            let params = params();
            return within(PATIENCE, &self.doing("make"), self.api.create(&params, &lease)).await.map(Ok);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if !holder.is_empty() {
            let version = lease.metadata.resource_version.clone();
            let since = match watched {
                Some(watched) if watched.version == version => watched.since,
                _ => watched.insert(Watched { version, since: now }).since,
            };
            let good_for =
                spec.lease_duration_seconds.map_or(DURATION, |seconds| Duration::from_secs(seconds.max(1) as u64));
            if now.duration_since(since) < good_for {
                return Ok(Err(holder));
            }
        }
        lease.spec = Some(self.mine(Some(&spec)));
        self.write(&lease).await.map(Ok)
    }

    async fn read(&self) -> Result<Option<Lease>, HostError> {
        let doing = self.doing("read");
        let answer = async {
            match self.api.get(NAME).await {
                Err(error) if none_of_that_name(&error) => Ok(Ok(None)),
                Err(error) => Ok(Err(sorted(&doing, &error))),
                Ok(lease) => Ok(Ok(Some(lease))),
            }
        };
        within(PATIENCE, &doing, answer).await?
    }

    async fn write(&self, lease: &Lease) -> Result<Lease, HostError> {
        within(PATIENCE, &self.doing("write"), self.api.replace(NAME, &params(), lease)).await
    }

    /// The Lease's content when it becomes this process's.
    fn mine(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(DURATION.as_secs() as i32),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(
                before.and_then(|spec| spec.lease_transitions).map_or(0, |count| count.saturating_add(1)),
            ),
            ..LeaseSpec::default()
        }
    }

    fn doing(&self, verb: &str) -> String {
        format!("{verb} Lease {}/{NAME}", self.namespace)
    }
}

impl Leadership {
    /// Renews the Lease until that has become impossible; then why. From that moment on nothing may be begun any more. Can be
    /// dropped and called again.
    pub async fn keep(&mut self) -> String {
        loop {
            sleep(RENEW.saturating_sub(self.renewed.elapsed())).await;
            let deadline = self.renewed + DEADLINE;
            let mut last = "the API server gave no answer".to_owned();
            let renewed = timeout_at(deadline, async {
                loop {
                    match self.renew().await {
                        Ok(renewed) => return renewed,
                        Err(error) => {
                            debug!("{error}");
                            last = error.to_string();
                        }
                    }
                    sleep(RETRY).await;
                }
            })
            .await;
            match renewed {
                Ok(Ok(())) => {}
                Ok(Err(holder)) => return format!("Lease {}/{NAME} was taken by {holder}", self.election.namespace),
                Err(_) => {
                    let seconds = DEADLINE.as_secs();
                    return format!(
                        "Lease {}/{NAME} could not be renewed for {seconds} seconds: {last}",
                        self.election.namespace
                    );
                }
            }
        }
    }

    /// Renews once; says who has the Lease if it is lost.
    async fn renew(&mut self) -> Result<Result<(), String>, HostError> {
        let begun = Instant::now();
        let mut lease = self.lease.clone();
        if let Some(spec) = &mut lease.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match self.election.write(&lease).await {
            Ok(lease) => {
                self.lease = lease;
                self.renewed = begun;
                Ok(Ok(()))
            }
            // Somebody wrote it, maybe this process itself, whose answer was lost: who has it now?
            Err(HostError::Conflict(_) | HostError::Gone(_)) => match self.election.read().await? {
                Some(now) => {
                    let holder = now.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
                    if holder == self.election.identity {
                        self.lease = now;
                        return Err(HostError::Conflict("the Lease was written meanwhile".to_owned()));
                    }
                    Ok(Err(if holder.is_empty() { "nobody".to_owned() } else { holder }))
                }
                None => Ok(Err("nobody: it was deleted".to_owned())),
            },
            Err(error) => Err(error),
        }
    }

    /// Gives the Lease back, so that another need not wait.
    pub async fn release(mut self) {
        let mut tries = 2;
        while tries > 0 {
            tries -= 1;
            if let Some(spec) = &mut self.lease.spec {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                spec.renew_time = Some(MicroTime(Timestamp::now()));
            }
            match self.election.write(&self.lease).await {
                Ok(_) => return info!("gave back Lease {}/{NAME}", self.election.namespace),
                // A renewal whose answer was not waited for.
                Err(HostError::Conflict(_)) => match self.election.read().await {
                    Ok(Some(now)) if holder(&now) == Some(&self.election.identity) => self.lease = now,
                    _ => return,
                },
                Err(error) => return warn!("{error}: another replica has to wait until it runs out"),
            }
        }
    }
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref()
}

fn metadata() -> ObjectMeta {
    ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}

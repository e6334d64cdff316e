//! Looking at a source: what lies there, and what the next run would take.

use std::time::Duration;

use jiff::Timestamp;

use super::Sync;
use crate::{
    api::{Algorithms, Mode},
    control::known::tried,
    engine::{RunError, browse as judged},
    host::local::state::State,
    model::{
        file::Listed,
        job::{SftpJob, SourceJob, SourceTimeouts},
    },
    source::{self, folder::elsewhere, servers::Servers},
    store,
    sync::choose::Verdict,
};

/// A folder of a source.
pub struct Browsed {
    /// Where it is: `sftp://files.example.com/outbox`.
    pub location: String,
    /// When it was looked at.
    pub at: Timestamp,
    /// What lies in it, with what the next run makes of it; of another folder than the source's own there is no such.
    pub names: Vec<(Listed, Option<Verdict>)>,
    /// Why it can't be known what was imported.
    pub unknown: Option<String>,
}

/// Lists the source's folder, or another one of the same source, and says what the next run would take: of a sync with a
/// schedule a run that this starts, which passes over what the runs kept in the state folder have tried. Writes nothing
/// anywhere, and makes no state folder.
pub async fn browse(state: &State, sync: &Sync, folder: Option<&str>) -> anyhow::Result<Browsed> {
    let servers = Servers::default();
    let other = elsewhere(&sync.job.source, folder.unwrap_or("")).map_err(|why| anyhow::anyhow!(why))?;
    let source = source::open(other.as_ref().unwrap_or(&sync.job.source), &servers);
    let (location, at) = (source.location(), Timestamp::now());
    let failed = |error: RunError| anyhow::anyhow!("{}: {error}", error.reason());
    if other.is_some() {
        let mut listed = source.list().await.map_err(|error| failed(error.into()))?;
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let names = listed.into_iter().map(|listed| (listed, None)).collect();
        return Ok(Browsed { location, at, names, unknown: None });
    }
    let tried = match &sync.object.spec.schedule {
        Some(_) => Some(tried(&sync.object.spec, &state.runs(&sync.job.sync)?)),
        None => None,
    };
    let store = async || store::open(&sync.job, &state.users_db(), Mode::Simulation).await;
    let judged = judged(&sync.job, tried, &*source, store).await.map_err(failed)?;
    let names = judged.names.into_iter().map(|one| (one.listed, Some(one.verdict))).collect();
    Ok(Browsed { location, at, names, unknown: judged.unknown })
}

/// What an SFTP server shows as its host key, and what to do with it, or why it can't be asked. No secret is sent.
pub async fn host_key(host: &str, port: u16) -> String {
    let wait = Duration::from_secs(15);
    let job = SftpJob {
        host: host.to_owned(),
        port,
        path: "/".to_owned(),
        username: String::new(),
        password: None,
        private_key: None,
        passphrase: None,
        host_keys: Vec::new(),
        algorithms: Algorithms::Modern,
        timeouts: SourceTimeouts { connect: wait, login: wait, first_byte: wait, stall: wait },
    };
    match source::open(&SourceJob::Sftp(Box::new(job)), &Servers::default()).list().await {
        // Without a key to expect, no server is logged in to.
        Ok(_) => String::new(),
        Err(refused) => refused.to_string(),
    }
}

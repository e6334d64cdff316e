//! Looking at a source: what lies there, and what the next run would take.

use jiff::Timestamp;

use super::Sync;
use crate::{
    api::Mode,
    control::known::tried,
    engine::{RunError, browse as judged},
    host::local::state::State,
    model::file::Listed,
    ports::Source,
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

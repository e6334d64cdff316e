//! Browse: the folder as a person sees it, and what the next run would make of each name. Writes nothing anywhere.

use super::{
    look::{Folder, Known},
    outcome::RunError,
};
use crate::{
    api::Mode,
    model::{
        job::{Job, SyncJob},
        sync::Tried,
    },
    ports::{Source, StoreError, UserStore},
    sync::choose::Judged,
};

/// What the next run would make of a folder.
#[derive(Clone, Debug)]
pub struct Browsed {
    /// Every name: those that match `files` in their order, then the others.
    pub names: Vec<Judged>,
    /// Why it can't be known what was imported; it is taken for nothing then.
    pub unknown: Option<String>,
}

/// Lists the source's folder and judges each name as a run would: one that the schedule starts, which passes over what was
/// `tried`, or (None) one that somebody asks for. The store is opened only if the folder has anything that could be taken.
pub async fn browse<S: AsRef<dyn UserStore>>(
    job: &SyncJob,
    tried: Option<Vec<Tried>>,
    source: &dyn Source,
    store: impl AsyncFnOnce() -> S,
) -> Result<Browsed, RunError> {
    let folder = Folder::list(source).await?;
    let job = Job { tried, ..Job::new(job.clone(), String::new(), Mode::Simulation) };
    let (known, unknown) = match folder.files(&job.sync.take).is_empty() {
        true => (folder.unknown(), None),
        false => {
            let store = store().await;
            match known(&job, &folder, store.as_ref()).await {
                Ok(known) => (known, None),
                Err(error) => (folder.unknown(), Some(error.to_string())),
            }
        }
    };
    let names = known.judged(&job, &known.choose(&job));
    Ok(Browsed { names, unknown })
}

async fn known(job: &Job, folder: &Folder, store: &dyn UserStore) -> Result<Known, StoreError> {
    let last = store.last(&job.sync.sync).await?;
    folder.clone().known(&job.sync, store, last.as_ref()).await
}

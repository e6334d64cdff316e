//! Probe: whether source and target can be used. Writes nothing anywhere.

use std::time::Duration;

use super::{outcome::RunError, patience::Patience};
use crate::{
    model::{job::SyncJob, ledger::Claim, plan::Layout, reason::Reason, sync::Failure, sync::Found},
    ports::{Source, UserStore},
    sync::layout::layout,
};

/// How long one side may take altogether. Each of its requests has a limit of its own; this one is for a disk that hangs and
/// for a server that answers one byte at a time.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Asks both sides at the same time: the source for its listing, the database for the table and for what stands against
/// the sync's claim. `patience` is told by the source when it waits for its server.
pub async fn probe<S: AsRef<dyn UserStore>>(
    job: &SyncJob,
    source: &dyn Source,
    store: impl Future<Output = S>,
    patience: &Patience,
) -> Found {
    let target = async {
        let store = store.await;
        usable(job, store.as_ref()).await
    };
    let source = async { source.list().await.map(drop).map_err(RunError::from) };
    let (source, target) = tokio::join!(patience.over(PATIENCE, source), tokio::time::timeout(PATIENCE, target));
    Found {
        source: answered(source, Reason::SourceUnreachable, "the source"),
        target: answered(target.ok(), Reason::TargetUnreachable, "the database"),
    }
}

fn answered(answer: Option<Result<(), RunError>>, slow: Reason, who: &str) -> Result<(), Failure> {
    match answer {
        Some(answer) => answer.map_err(|error| error.failure()),
        None => {
            let seconds = PATIENCE.as_secs();
            Err(Failure { reason: slow, message: format!("{who} was asked and had not answered after {seconds} s") })
        }
    }
}

async fn usable(job: &SyncJob, store: &dyn UserStore) -> Result<(), RunError> {
    table(job, store).await?;
    Ok(store.check(&claim_of(job)).await?)
}

/// What the table can hold, as the run needs it.
pub(super) async fn table(job: &SyncJob, store: &dyn UserStore) -> Result<Layout, RunError> {
    let table = store.inspect().await?;
    layout(job, &table).map_err(RunError::Table)
}

/// What the sync says of itself before it may write.
pub(super) fn claim_of(job: &SyncJob) -> Claim {
    Claim {
        sync: job.sync.clone(),
        table: job.target.table.clone(),
        scope: job.target.scope.clone(),
        action: job.action,
    }
}

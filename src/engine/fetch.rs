//! Fetch: copy the file into the spool, hashing on the way, and see that it stood still meanwhile.

use std::path::Path;

use super::{
    intake::Intake,
    look::{Chosen, old_enough},
    outcome::{Record, RunError},
    spool,
    transfer::{Line, pause},
};
use crate::{
    model::{file::Fetched, job::Job},
    ports::{Ports, SourceError},
};

/// Copies the file. None: it did not stand still, so it is still being uploaded, and the record says so.
pub(super) async fn fetch(
    job: &Job,
    ports: &Ports,
    chosen: Chosen,
    spool: &Path,
    record: &mut Record,
) -> Result<Option<Fetched>, RunError> {
    let Chosen { stamp, seen, settled } = chosen;
    let mut line = Line::new(&*ports.source, &*ports.watch, &stamp, &job.run);
    let mut intake = Intake::create(&stamp.name, job.sync.take.unpack, &spool::input(spool))?;
    match line.copy(&mut intake).await {
        Err(RunError::Source(SourceError::Changed(why) | SourceError::Missing(why))) => {
            return Ok(moving(record, &why));
        }
        copied => copied?,
    }
    let came = intake.came();
    let taken = intake.finish().await?;
    let rest = job.sync.take.stable_for.saturating_sub(seen.elapsed());
    if !rest.is_zero() && !settled && !old_enough(&job.sync, &stamp) {
        // Others may use the login meanwhile, and the server may hang up: it is asked anew.
        ports.source.rest().await;
        pause(&*ports.watch, rest).await?;
    }
    match line.stat(came).await? {
        Some(now) if now == stamp => {}
        Some(_) => return Ok(moving(record, &format!("{} changed while it was read", stamp.name))),
        None => return Ok(moving(record, &format!("{} vanished while it was read", stamp.name))),
    }
    if line.broke > 0 {
        let times = if line.broke == 1 { "once".to_owned() } else { format!("{} times", line.broke) };
        record.warnings.push(format!(
            "the line to the source broke {times} while {} was fetched; what had come was \
                                      kept, and the rest fetched behind it",
            stamp.name
        ));
    }
    if let Some(file) = &mut record.file {
        file.sha256 = Some(taken.sha256.clone());
    }
    // Not before: an upload that is under way can't be unpacked either.
    if let Some(fault) = taken.fault {
        return Err(RunError::File(format!("{}: {fault}", stamp.name)));
    }
    Ok(Some(Fetched { stamp, sha256: taken.sha256 }))
}

fn moving(record: &mut Record, why: &str) -> Option<Fetched> {
    // Later files wait behind it.
    record.more = false;
    record.nothing = Some(format!("{why}: is it still being uploaded? The next run looks again"));
    None
}

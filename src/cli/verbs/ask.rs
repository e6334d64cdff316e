//! Suspend, resume, update, simulate.

use jiff::Timestamp;

use super::{
    VerbError,
    token::fresh,
    wait::{Awaited, Waiting, wait},
};
use crate::{
    api::UPDATE_NOW,
    cli::{Exit, output},
    host::place::Place,
    model::sync::Cause,
};

/// Suspends or resumes, and says what that means.
pub async fn suspend(place: &dyn Place, name: &str, suspend: bool) -> Result<Exit, VerbError> {
    let before = place.sync(name).await?.suspend;
    let note = place.suspend(name, suspend).await?;
    let already = if before == suspend { " already" } else { "" };
    output::line(&match suspend {
        true => format!("{name} is suspended{already}: no scheduled run starts; update and simulate still work"),
        false if before => format!("{name} is resumed: scheduled runs start again; what was missed is not made up for"),
        false => format!("{name} is not suspended: nothing to resume"),
    })?;
    if let Some(line) = note {
        output::line(&format!("  {line}"))?;
    }
    Ok(Exit::Completed)
}

/// Asks for one run by a fresh token, and waits for its end if that is wanted.
pub async fn run(place: &dyn Place, name: &str, annotation: &str, waiting: &Waiting) -> Result<Exit, VerbError> {
    let token = fresh(Timestamp::now());
    let found = place.sync(name).await?;
    place.annotate(name, annotation, &token).await?;
    let asleep = place.asleep().await;
    let (what, cause) = match annotation {
        UPDATE_NOW => ("an import", Cause::UpdateNow(token.clone())),
        _ => ("a simulation", Cause::SimulateNow(token.clone())),
    };
    if waiting.wanted() {
        if let Some(line) = asleep {
            eprintln!("usersync: {name}: {line}");
        }
        let asked = Some((annotation.to_owned(), token));
        return wait(place, Awaited { sync: name, cause, asked }, waiting).await;
    }
    output::line(&format!("{name}: {what} is asked for (token {token})"))?;
    if let Some(run) = &found.status.active_run {
        output::line(&format!("  it starts when the run at work has ended ({run})"))?;
    }
    if let Some(line) = asleep {
        output::line(&format!("  {line}"))?;
    }
    Ok(Exit::Completed)
}

//! Approve: says what it covers, then sets the annotation.

use clap::Args;

use super::{
    VerbError, Where,
    wait::{Awaited, Waiting, wait},
};
use crate::{
    api::{APPROVE, UserSyncRun},
    cli::{Exit, output},
    control::cause::{ended, held},
    model::sync::Cause,
    sync::render::text::{number, visible},
};

/// Arguments of `usersync approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The held UserSyncRun's name
    #[arg(value_name = "RUN")]
    run: String,
    /// Only if the held run's file has this SHA-256
    #[arg(long, value_name = "SHA256", value_parser = crate::cli::run::sha256)]
    sha256: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    place: Where,
}

/// Approves a held run.
pub async fn approve(args: &ApproveArgs) -> Result<Exit, VerbError> {
    let place = args.place.place().await?;
    let name = &args.run;
    let run = place.run(name).await?;
    let run = run.ok_or_else(|| VerbError::Unfit(format!("there is no run {name}: see `usersync runs`")))?;
    let sha256 = sha256(&run)?;
    if args.sha256.as_ref().is_some_and(|wanted| *wanted != sha256) {
        let message = format!("the file of {name} is another one: its SHA-256 is {sha256}; nothing was approved");
        return Err(VerbError::Unfit(message));
    }
    let annotation = run.metadata.annotations.as_ref().and_then(|all| all.get(APPROVE));
    let already = annotation.is_some_and(|is| *is == sha256);
    if !already {
        place.approve(&run.metadata, &sha256).await?;
    }
    let sync = run.spec.sync.clone();
    if args.waiting.wanted() {
        covers(&run, &sha256, already).iter().for_each(|line| eprintln!("{line}"));
        place.asleep().await.into_iter().for_each(|line| eprintln!("usersync: {sync}: {line}"));
        let cause = Cause::Approval { run: name.clone(), sha256 };
        return wait(&*place, Awaited { sync: &sync, cause, asked: None }, &args.waiting).await;
    }
    let asleep = place.asleep().await.map(|line| format!("  {line}"));
    for line in covers(&run, &sha256, already).into_iter().chain(asleep) {
        output::line(&line)?;
    }
    Ok(Exit::Completed)
}

/// The SHA-256 of the held run's file.
fn sha256(run: &UserSyncRun) -> Result<String, VerbError> {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    if !held(run) {
        let how = ended(run).map_or("has not ended".to_owned(), |(_, reason, _)| format!("ended with {reason}"));
        return Err(VerbError::Unfit(format!("{name} is not held: it {how}; there is nothing to approve")));
    }
    let file = run.status.as_ref().and_then(|status| status.file.as_ref());
    let sha256 = file.and_then(|file| file.sha256.clone());
    sha256.ok_or_else(|| VerbError::Unfit(format!("{name} has no file that could be approved")))
}

/// What the approval covers, in plain words.
fn covers(run: &UserSyncRun, sha256: &str, already: bool) -> Vec<String> {
    let status = run.status.clone().unwrap_or_default();
    let (guard, counts) = (status.guard.unwrap_or_default(), status.counts.unwrap_or_default());
    let file = status.file.map(|file| visible(&file.name)).unwrap_or_default();
    let was = if already { "was approved already" } else { "is approved" };
    let mut lines = vec![
        format!(
            "{} {was}: {file} is imported once, with the spec of that run",
            run.metadata.name.as_deref().unwrap_or_default()
        ),
        format!("  file      sha256 {sha256}"),
        format!(
            "  at most   {} removed, {} emptied, {} updated, {} rejected: more than that is held again",
            number(guard.removals),
            number(guard.emptied),
            number(counts.updated),
            number(counts.rejected)
        ),
    ];
    lines.extend(guard.reasons.iter().map(|reason| format!("  held for  {}", visible(reason))));
    lines
}

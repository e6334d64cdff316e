//! `usersync schedule`: the next start times.

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};

use super::{Exit, input, output};
use crate::control::schedule::next;

/// Arguments of `usersync schedule`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  usersync schedule -f hr.yaml -n 10")]
pub struct ScheduleArgs {
    #[command(flatten)]
    manifests: input::Manifests,
    /// How many start times of each sync
    #[arg(short = 'n', default_value_t = 5, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
}

/// Prints start times in the schedule's zone (RFC 3339), one a line; of several syncs each behind a line `# NAME`.
pub fn schedule(args: &ScheduleArgs) -> anyhow::Result<Exit> {
    let Some(syncs) = input::objects(&args.manifests) else { return Ok(Exit::Usage) };
    for sync in &syncs {
        let name = input::full_name(sync);
        if syncs.len() > 1 {
            output::line(&format!("# {name}"))?;
        }
        let Some(schedule) = &sync.spec.schedule else { continue };
        let zone = TimeZone::get(&schedule.time_zone)?;
        let mut after = Timestamp::now();
        for _ in 0..args.count {
            let Some(slot) = next(schedule, &name, after) else { break };
            output::line(&slot.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())?;
            after = slot;
        }
    }
    Ok(Exit::Completed)
}

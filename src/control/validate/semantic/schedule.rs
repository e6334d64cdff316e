//! `spec.schedule`: times that exist, and come.

use jiff::Timestamp;

use super::super::problem::Finding;
use crate::{
    api::usersync::schedule::ScheduleSpec,
    control::schedule::{self, Slots},
};

/// Any schedule that ever starts has a start after this: 2000-01-01T00:00:00Z. The present must not matter, since a manifest
/// whose only start has passed is still a valid one.
const LONG_AGO: i64 = 946_684_800;

pub(super) fn findings(spec: &ScheduleSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |field: &str, message: String| findings.push(Finding::new(format!("spec.schedule.{field}"), message));
    // The zone is looked at even where no kind of schedule is chosen that would need it.
    let zone = schedule::zone(&spec.time_zone);
    if let Err(message) = &zone {
        say("timeZone", message.clone());
    }
    let utc = ScheduleSpec { time_zone: "Etc/UTC".to_owned(), ..spec.clone() };
    match Slots::new(&utc, "") {
        Err(error) => say(error.field, error.message),
        Ok(Some(slots)) => {
            let ever = Timestamp::from_second(LONG_AGO).ok().and_then(|long_ago| slots.next(long_ago));
            if ever.is_none() {
                let (field, message) = match (&spec.cron, &spec.once) {
                    (Some(cron), _) => {
                        ("cron", format!("`{cron}` never comes: no such date exists; see day, month and year"))
                    }
                    (None, Some(_)) => ("once.at", "is before the year 2000: write a time to come".to_owned()),
                    (None, None) => ("", "never starts anything".to_owned()),
                };
                say(field, message);
            }
        }
        Ok(None) => {}
    }
    if let Some(weekly) = &spec.weekly {
        for (index, day) in weekly.days.iter().enumerate() {
            if weekly.days.iter().take(index).any(|earlier| earlier == day) {
                say(&format!("weekly.days[{index}]"), format!("{day:?} is in the list already: remove one of the two"));
            }
        }
    }
    if spec.starting_deadline.is_zero() {
        say(
            "startingDeadline",
            "0 skips every start, since none is on time to the instant: write a time like 1h".to_owned(),
        );
    }
    if spec.expect_file_every.is_some_and(|every| every.is_zero()) {
        say("expectFileEvery", "0 would always raise the alert: write a time like 24h, or remove the line".to_owned());
    }
    findings
}

//! A schedule in words, for the status.

use crate::api::usersync::schedule::{ScheduleSpec, Weekday};

/// The schedule in a few words: `every 5m`, `daily 01:00 Europe/Paris`, `by annotation`.
pub fn words(schedule: Option<&ScheduleSpec>) -> String {
    let Some(schedule) = schedule else { return "by annotation".to_owned() };
    let zone = &schedule.time_zone;
    if let Some(every) = schedule.every {
        return format!("every {every}");
    }
    if let Some(once) = &schedule.once {
        return once.at.as_ref().map_or_else(|| "once, now".to_owned(), |at| format!("once {at} {zone}"));
    }
    if let Some(daily) = &schedule.daily {
        return format!("daily {} {zone}", daily.at);
    }
    if let Some(weekly) = &schedule.weekly {
        let days: Vec<_> = weekly.days.iter().copied().map(day).collect();
        return format!("weekly {} {} {zone}", days.join(","), weekly.at);
    }
    if let Some(monthly) = &schedule.monthly {
        return format!("monthly {} {} {zone}", monthly.day, monthly.at);
    }
    schedule.cron.as_ref().map_or_else(|| "by annotation".to_owned(), |cron| format!("cron {cron} {zone}"))
}

const fn day(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Mon",
        Weekday::Tue => "Tue",
        Weekday::Wed => "Wed",
        Weekday::Thu => "Thu",
        Weekday::Fri => "Fri",
        Weekday::Sat => "Sat",
        Weekday::Sun => "Sun",
    }
}

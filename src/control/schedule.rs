//! Pure: when a sync starts by itself. A slot is a moment at which a run is due; `after` is always an argument.
//!
//! Times of day are those of the schedule's time zone. One that a clock going forward leaps over is due at the first
//! moment after the leap; one that a clock going back shows twice is due the first time only.

mod due;
mod words;

pub use self::{
    due::{Due, full_name},
    words::words,
};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};
use sha2::{Digest, Sha256};

use crate::api::usersync::schedule::{self as api, ScheduleSpec};

/// The start times of one sync.
#[derive(Clone, Debug)]
pub struct Slots {
    rule: Rule,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Multiples of `interval` since the epoch, plus `offset`; both in milliseconds.
    Every {
        interval: i64,
        offset: i64,
    },
    Once(DateTime),
    Daily(Time),
    Weekly(Vec<Weekday>, Time),
    Monthly(i8, Time),
    Cron(Box<Cron>),
}

/// Why a schedule has no start times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScheduleError {
    /// The field to blame, relative to `spec.schedule`; empty for the schedule itself.
    pub field: &'static str,
    /// What, why, how to mend.
    pub message: String,
}

impl ScheduleError {
    fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// The first slot after `after`; None if there is none (any more), or the schedule is not valid. `sync_name` is
/// `NAMESPACE/NAME`: it decides which part of the interval `every` uses, so that not all syncs start at once.
pub fn next(schedule: &ScheduleSpec, sync_name: &str, after: Timestamp) -> Option<Timestamp> {
    Slots::new(schedule, sync_name).ok()??.next(after)
}

impl Slots {
    /// The slots of a schedule; None if it has none by time (nothing chosen, or `once: {now: {}}`, which is due as soon
    /// as the resource is there).
    pub fn new(schedule: &ScheduleSpec, sync_name: &str) -> Result<Option<Self>, ScheduleError> {
        let zone = zone(&schedule.time_zone).map_err(|message| ScheduleError::new("timeZone", message))?;
        let rule = if let Some(every) = schedule.every {
            every_rule(every.get(), sync_name)?
        } else if let Some(once) = &schedule.once {
            let Some(at) = &once.at else { return Ok(None) };
            Rule::Once(at.parse().map_err(|_| {
                ScheduleError::new(
                    "once.at",
                    format!("`{at}` is no date that exists: write it like 2026-12-01T01:00:00"),
                )
            })?)
        } else if let Some(daily) = &schedule.daily {
            Rule::Daily(time("daily.at", &daily.at)?)
        } else if let Some(weekly) = &schedule.weekly {
            let days: Vec<Weekday> = weekly.days.iter().copied().map(weekday).collect();
            if days.is_empty() {
                return Err(ScheduleError::new("weekly.days", "no day is named: write days: [Mon, Fri]"));
            }
            Rule::Weekly(days, time("weekly.at", &weekly.at)?)
        } else if let Some(monthly) = &schedule.monthly {
            let day = i8::try_from(monthly.day).ok().filter(|day| (1..=31).contains(day));
            let day = day.ok_or_else(|| ScheduleError::new("monthly.day", "a month has the days 1 to 31"))?;
            Rule::Monthly(day, time("monthly.at", &monthly.at)?)
        } else if let Some(cron) = &schedule.cron {
            Rule::Cron(Box::new(parse_cron(cron).map_err(|message| ScheduleError::new("cron", message))?))
        } else {
            return Ok(None);
        };
        Ok(Some(Self { rule, zone }))
    }

    /// The schedule's time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first slot after `after`; None if there is none any more.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let local = self.zone.to_datetime(after);
        match &self.rule {
            Rule::Every { interval, offset } => next_multiple(*interval, *offset, after),
            Rule::Once(at) => moment(&self.zone, *at).filter(|slot| *slot > after),
            Rule::Daily(at) => self.first(after, days(local.date()).map(|day| day.to_datetime(*at))),
            Rule::Weekly(on, at) => {
                let days = days(local.date()).filter(|day| on.contains(&day.weekday()));
                self.first(after, days.map(|day| day.to_datetime(*at)))
            }
            Rule::Monthly(on, at) => {
                let months = months(local.date());
                self.first(after, months.filter_map(|month| Some(month_day(month, *on)?.to_datetime(*at))))
            }
            Rule::Cron(cron) => self.first(after, civil_times(cron, local)),
        }
    }

    /// The first of these local times, which come in order, that is due after `after`.
    fn first(&self, after: Timestamp, mut times: impl Iterator<Item = DateTime>) -> Option<Timestamp> {
        times.find_map(|local| moment(&self.zone, local).filter(|slot| *slot > after))
    }
}

/// The time zone of that IANA name.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        let known = jiff::tz::db().available().map(|known| known.to_string());
        let nearest = known.map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()), known));
        let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score > 0.85);
        let hint =
            nearest.map_or_else(|| "write one like Europe/Paris".to_owned(), |(_, name)| format!("is it {name}?"));
        format!("`{name}` is not a time zone of the IANA database; {hint}")
    })
}

/// When the local time is due. None beyond the year 9999.
fn moment(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // By the clock that was not put forward yet, this moment is at or behind the leap.
            let behind = before.to_timestamp(local).ok()?;
            let just_after = behind.checked_add(1.nanosecond()).ok()?;
            Some(zone.preceding(just_after).next().map_or(behind, |leap| leap.timestamp()))
        }
    }
}

fn every_rule(interval: std::time::Duration, sync_name: &str) -> Result<Rule, ScheduleError> {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    if interval < 1_000 {
        return Err(ScheduleError::new(
            "every",
            "the shortest interval is 1s: each look asks the server for its files",
        ));
    }
    // Whole seconds read better in logs, and are what a time of the Kubernetes API can hold.
    let interval = interval / 1_000 * 1_000;
    let digest = Sha256::digest(sync_name.as_bytes());
    let hash = digest.iter().take(8).fold(0u64, |hash, byte| hash << 8 | u64::from(*byte));
    let seconds = (interval / 1_000).unsigned_abs();
    Ok(Rule::Every { interval, offset: i64::try_from(hash % seconds).unwrap_or(0) * 1_000 })
}

fn next_multiple(interval: i64, offset: i64, after: Timestamp) -> Option<Timestamp> {
    let passed = after.as_millisecond().checked_sub(offset)?.div_euclid(interval);
    let slot = |count: i64| {
        Timestamp::from_millisecond(count.checked_mul(interval)?.checked_add(offset)?).ok().filter(|slot| *slot > after)
    };
    slot(passed).or_else(|| slot(passed + 1))
}

/// The days from the one before `from`: in a fold at midnight a slot of yesterday may still come.
fn days(from: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from.yesterday().unwrap_or(from)), |day| day.tomorrow().ok())
}

/// The first days of the months from the one before `from`.
fn months(from: Date) -> impl Iterator<Item = Date> {
    let first = from.first_of_month();
    std::iter::successors(Some(first.checked_sub(1.month()).unwrap_or(first)), |month| {
        month.checked_add(1.month()).ok()
    })
}

/// That day of the month, or its last.
fn month_day(month: Date, day: i8) -> Option<Date> {
    Date::new(month.year(), month.month(), day.min(month.days_in_month())).ok()
}

fn time(field: &'static str, text: &str) -> Result<Time, ScheduleError> {
    text.parse().map_err(|_| ScheduleError::new(field, format!("`{text}` is no time of day: write it like \"01:00\"")))
}

fn weekday(day: api::Weekday) -> Weekday {
    match day {
        api::Weekday::Mon => Weekday::Monday,
        api::Weekday::Tue => Weekday::Tuesday,
        api::Weekday::Wed => Weekday::Wednesday,
        api::Weekday::Thu => Weekday::Thursday,
        api::Weekday::Fri => Weekday::Friday,
        api::Weekday::Sat => Weekday::Saturday,
        api::Weekday::Sun => Weekday::Sunday,
    }
}

/// The local times that an expression names, from `from` on, in order. They are looked for on a clock without daylight
/// saving: [`moment`] says what becomes of those that another clock leaps over or repeats.
fn civil_times(cron: &Cron, from: DateTime) -> impl Iterator<Item = DateTime> {
    let start = from.with().subsec_nanosecond(0).build().unwrap_or(from).to_zoned(TimeZone::UTC).ok();
    let next = |start: Option<jiff::Zoned>, inclusive| cron.find_next_occurrence(&start?, inclusive).ok();
    std::iter::successors(next(start, true), move |slot| next(Some(slot.clone()), false)).map(|slot| slot.datetime())
}

/// A Quartz expression: seconds first, the year optional, 1 is Sunday.
fn parse_cron(text: &str) -> Result<Cron, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if text.contains('@') {
        return Err(
            "names like @daily are not Quartz: write the fields, like \"0 0 1 * * ?\" for each day at 01:00".into()
        );
    }
    if !(6..=7).contains(&fields.len()) {
        let hint =
            if fields.len() == 5 { "; put the seconds first: this looks like five fields without them" } else { "" };
        return Err(format!(
            "`{text}` has {} fields; Quartz has six or seven: second, minute, hour, day of month, month, day of week, and \
             perhaps the year, like \"0 0 1 * * ?\"{hint}",
            fields.len()
        ));
    }
    let upper = text.to_uppercase();
    if text.contains('+') || fields.iter().enumerate().any(|(at, field)| field.contains('?') && !matches!(at, 3 | 5)) {
        return Err(format!(
            "`{text}` is not Quartz: `+` means nothing, and `?` stands for a day only (fields 4 and 6)"
        ));
    }
    if upper.split_whitespace().nth(3).is_some_and(|day| day.contains("L-")) {
        return Err("days before the last one (`L-2`) are not supported: use L, LW, or a day of the month".to_owned());
    }
    if !matches!((fields[3], fields[5]), ("*" | "?", _) | (_, "*" | "?")) {
        return Err(format!(
            "`{text}` names a day of the month ({}) and a day of the week ({}); write ? for one of them",
            fields[3], fields[5]
        ));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Optional)
        .alternative_weekdays(true)
        .sloppy_ranges(true)
        .build();
    let mend = "write it like \"0 0 1 * * ?\" (each day at 01:00)";
    let plain: Vec<String> = upper.split_whitespace().enumerate().map(|(at, field)| plain_field(at, field)).collect();
    parser.parse(&plain.join(" ")).map_err(|error| {
        let error = error.to_string();
        let reason = error.split_once(": ").map_or(&*error, |(_, reason)| reason).trim_end_matches('.');
        format!("`{text}` is not a cron expression: {reason}; {mend}")
    })
}

/// The least and greatest number of each field but the year, and the names in their order.
const FIELDS: [(u32, u32, &[&str]); 6] = [
    (0, 59, &[]),
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]),
    (1, 7, &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]),
];

/// A field in the words of the cron library: ranges that wrap around (`FRI-MON`, `22-2`) as lists, and a lone L of the
/// days of the week as what it means, Saturday.
fn plain_field(at: usize, field: &str) -> String {
    let Some((least, greatest, names)) = FIELDS.get(at).copied() else { return field.to_owned() };
    if at == 5 && field == "L" {
        return "7".to_owned();
    }
    let number = |text: &str| {
        let named = names.iter().position(|name| *name == text).and_then(|at| u32::try_from(at).ok());
        named.map(|at| at + least).or_else(|| text.parse().ok()).filter(|number| (least..=greatest).contains(number))
    };
    let wrapped = |part: &str| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (from, to) = range.split_once('-')?;
        let (from, to, step) = (number(from)?, number(to)?, step.parse::<usize>().ok().filter(|step| *step > 0)?);
        let values = (from..=greatest).chain(least..=to).step_by(step).map(|value| value.to_string());
        (from > to).then(|| values.collect::<Vec<_>>().join(","))
    };
    let parts: Vec<String> = field.split(',').map(|part| wrapped(part).unwrap_or_else(|| part.to_owned())).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests;

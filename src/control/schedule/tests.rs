use super::*;

const AFTER: &str = "2026-01-01T00:00:00Z";

fn schedule(yaml: &str) -> ScheduleSpec {
    serde_yaml::from_str(yaml).unwrap()
}

/// The next `count` slots after `after`, in the schedule's zone.
fn slots(yaml: &str, after: &str, count: usize) -> Vec<String> {
    let slots = Slots::new(&schedule(yaml), "default/hr").unwrap().unwrap();
    let mut at: Timestamp = after.parse().unwrap();
    std::iter::from_fn(|| {
        at = slots.next(at)?;
        Some(at.to_zoned(slots.zone().clone()).strftime("%FT%T%:z").to_string())
    })
    .take(count)
    .collect()
}

fn error(yaml: &str) -> String {
    let error = Slots::new(&schedule(yaml), "default/hr").unwrap_err();
    format!("{}: {}", error.field, error.message)
}

#[test]
fn times_of_day_in_a_zone() {
    for (yaml, after, expected) in [
        (
            "{daily: {at: '01:00'}, timeZone: Europe/Paris}",
            AFTER,
            vec!["2026-01-02T01:00:00+01:00", "2026-01-03T01:00:00+01:00"],
        ),
        ("{daily: {at: '01:00'}}", AFTER, vec!["2026-01-01T01:00:00+00:00", "2026-01-02T01:00:00+00:00"]),
        (
            "{weekly: {days: [Mon, Fri], at: '23:30'}, timeZone: America/New_York}",
            AFTER,
            vec!["2026-01-02T23:30:00-05:00", "2026-01-05T23:30:00-05:00", "2026-01-09T23:30:00-05:00"],
        ),
        (
            "{monthly: {day: 31, at: '06:00'}}",
            AFTER,
            vec![
                "2026-01-31T06:00:00+00:00",
                "2026-02-28T06:00:00+00:00",
                "2026-03-31T06:00:00+00:00",
                "2026-04-30T06:00:00+00:00",
            ],
        ),
        ("{monthly: {day: 29, at: '00:00'}}", "2028-02-01T00:00:00Z", vec!["2028-02-29T00:00:00+00:00"]),
        ("{monthly: {day: 1, at: '00:00'}}", "2026-02-01T00:00:00Z", vec!["2026-03-01T00:00:00+00:00"]),
        ("{once: {at: '2026-12-01T01:00:00'}, timeZone: Europe/Paris}", AFTER, vec!["2026-12-01T01:00:00+01:00"]),
        ("{once: {at: '2026-12-01T01:00'}}", AFTER, vec!["2026-12-01T01:00:00+00:00"]),
        ("{once: {at: '2026-01-01T00:00:00'}}", AFTER, vec![]),
    ] {
        let count = expected.len().max(1);
        let mut found = slots(yaml, after, count);
        found.truncate(count);
        assert_eq!(found, expected, "{yaml} after {after}");
    }
}

#[test]
fn a_time_that_a_clock_leaps_over_is_due_right_after() {
    for (yaml, after, expected) in [
        (
            "{daily: {at: '02:30'}, timeZone: Europe/Paris}",
            "2026-03-28T00:00:00Z",
            ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
        ),
        (
            "{daily: {at: '02:00'}, timeZone: Europe/Paris}",
            "2026-03-28T00:00:00Z",
            ["2026-03-28T02:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
        ),
        (
            "{cron: '0 30 2 * * ?', timeZone: America/New_York}",
            "2026-03-07T00:00:00Z",
            ["2026-03-07T02:30:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
        ),
        (
            "{cron: '0 30 2,14 * * ?', timeZone: Europe/Paris}",
            "2026-03-28T12:00:00Z",
            ["2026-03-28T14:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T14:30:00+02:00"],
        ),
        (
            // Several that fall into the leap are one.
            "{cron: '0 0/20 2-3 * * ?', timeZone: Europe/Paris}",
            "2026-03-29T00:00:00Z",
            ["2026-03-29T03:00:00+02:00", "2026-03-29T03:20:00+02:00", "2026-03-29T03:40:00+02:00"],
        ),
        (
            "{weekly: {days: [Sun], at: '02:15'}, timeZone: Europe/Paris}",
            "2026-03-23T00:00:00Z",
            ["2026-03-29T03:00:00+02:00", "2026-04-05T02:15:00+02:00", "2026-04-12T02:15:00+02:00"],
        ),
        (
            // Lord Howe Island's leap is half an hour.
            "{daily: {at: '02:10'}, timeZone: Australia/Lord_Howe}",
            "2026-10-02T18:00:00Z",
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:10:00+11:00", "2026-10-06T02:10:00+11:00"],
        ),
    ] {
        assert_eq!(slots(yaml, after, 3), expected, "{yaml} after {after}");
    }
}

#[test]
fn a_time_that_a_clock_shows_twice_is_due_once() {
    for (yaml, after, expected) in [
        (
            "{daily: {at: '02:30'}, timeZone: Europe/Paris}",
            "2026-10-24T12:00:00Z",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        (
            // Asked in the repeated hour: this day's slot is over.
            "{daily: {at: '02:30'}, timeZone: Europe/Paris}",
            "2026-10-25T01:10:00Z",
            ["2026-10-26T02:30:00+01:00", "2026-10-27T02:30:00+01:00"],
        ),
        (
            "{cron: '0 30 1 * * ?', timeZone: America/New_York}",
            "2026-10-31T12:00:00Z",
            ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
        ),
        (
            "{cron: '0 30 1 * * ?', timeZone: America/New_York}",
            "2026-11-01T06:10:00.5Z",
            ["2026-11-02T01:30:00-05:00", "2026-11-03T01:30:00-05:00"],
        ),
        (
            "{cron: '0 0 * * * ?', timeZone: Europe/Paris}",
            "2026-10-24T23:30:00Z",
            ["2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"],
        ),
    ] {
        assert_eq!(slots(yaml, after, 2), expected, "{yaml} after {after}");
    }
}

#[test]
fn cron_means_what_quartz_means() {
    for (cron, expected) in [
        ("0 0 1 * * ?", ["2026-01-01T01:00:00", "2026-01-02T01:00:00", "2026-01-03T01:00:00"]),
        ("0 0 12 ? * MON-FRI", ["2026-01-01T12:00:00", "2026-01-02T12:00:00", "2026-01-05T12:00:00"]),
        // 1 is Sunday.
        ("0 0 12 ? * 1", ["2026-01-04T12:00:00", "2026-01-11T12:00:00", "2026-01-18T12:00:00"]),
        ("0 0 12 ? * SUN,wed", ["2026-01-04T12:00:00", "2026-01-07T12:00:00", "2026-01-11T12:00:00"]),
        ("0 0 6 L * ?", ["2026-01-31T06:00:00", "2026-02-28T06:00:00", "2026-03-31T06:00:00"]),
        // The last working day: 31 January 2026 is a Saturday.
        ("0 0 6 LW * ?", ["2026-01-30T06:00:00", "2026-02-27T06:00:00", "2026-03-31T06:00:00"]),
        // The working day nearest to the 15th: 15 February and 15 March 2026 are Sundays.
        ("0 0 6 15W * ?", ["2026-01-15T06:00:00", "2026-02-16T06:00:00", "2026-03-16T06:00:00"]),
        // The third Friday.
        ("0 15 10 ? * 6#3", ["2026-01-16T10:15:00", "2026-02-20T10:15:00", "2026-03-20T10:15:00"]),
        // The last Friday.
        ("0 15 10 ? * 6L", ["2026-01-30T10:15:00", "2026-02-27T10:15:00", "2026-03-27T10:15:00"]),
        ("0 0/20 8 * * ?", ["2026-01-01T08:00:00", "2026-01-01T08:20:00", "2026-01-01T08:40:00"]),
        ("0 5/25 8 * * ?", ["2026-01-01T08:05:00", "2026-01-01T08:30:00", "2026-01-01T08:55:00"]),
        ("15,45 0 0 1 JAN,jul ?", ["2026-01-01T00:00:15", "2026-01-01T00:00:45", "2026-07-01T00:00:15"]),
        ("0 0 0 29 2 ?", ["2028-02-29T00:00:00", "2032-02-29T00:00:00", "2036-02-29T00:00:00"]),
        ("0 0 0 1 1 ? 2027-2031/2", ["2027-01-01T00:00:00", "2029-01-01T00:00:00", "2031-01-01T00:00:00"]),
        ("0 0 12 * * *", ["2026-01-01T12:00:00", "2026-01-02T12:00:00", "2026-01-03T12:00:00"]),
    ] {
        let yaml = format!("{{cron: '{cron}'}}");
        let found: Vec<String> =
            slots(&yaml, AFTER, 3).iter().map(|slot| slot.trim_end_matches("+00:00").to_owned()).collect();
        assert_eq!(found, expected, "{cron}");
    }
}

#[test]
fn quartz_ranges_wrap_around() {
    for (cron, expected) in [
        (
            "0 0 12 ? * FRI-MON",
            ["2026-01-02T12:00:00", "2026-01-03T12:00:00", "2026-01-04T12:00:00", "2026-01-05T12:00:00"],
        ),
        (
            "0 0 22-1 * * ?",
            ["2026-01-01T01:00:00", "2026-01-01T22:00:00", "2026-01-01T23:00:00", "2026-01-02T00:00:00"],
        ),
        (
            "0 0 22-2/2 1,3-4 * ?",
            ["2026-01-01T02:00:00", "2026-01-01T22:00:00", "2026-01-03T00:00:00", "2026-01-03T02:00:00"],
        ),
        ("0 0 12 ? * L", ["2026-01-03T12:00:00", "2026-01-10T12:00:00", "2026-01-17T12:00:00", "2026-01-24T12:00:00"]),
    ] {
        let yaml = format!("{{cron: '{cron}'}}");
        let found: Vec<String> =
            slots(&yaml, AFTER, 4).iter().map(|slot| slot.trim_end_matches("+00:00").to_owned()).collect();
        assert_eq!(found, expected, "{cron}");
    }
}

#[test]
fn every_is_a_fixed_grid_with_an_offset_per_sync() {
    let every = schedule("{every: 5m}");
    let after: Timestamp = AFTER.parse().unwrap();
    let mut offsets = std::collections::BTreeSet::new();
    for name in ["default/hr", "default/school", "default/parking", "other/hr"] {
        let first = next(&every, name, after).unwrap();
        let second = next(&every, name, first).unwrap();
        assert!(first > after && first.as_second() - after.as_second() <= 300, "{name}: {first}");
        assert_eq!(second.as_second() - first.as_second(), 300, "{name}");
        let earlier: Timestamp = "1969-12-31T23:59:00Z".parse().unwrap();
        let grid = next(&every, name, earlier).unwrap();
        assert_eq!((first.as_second() - grid.as_second()) % 300, 0, "{name}: the grid never moves");
        offsets.insert(first.as_second() % 300);
    }
    assert!(offsets.len() > 1, "all start at once: {offsets:?}");
    // Fixed for ever: an upgrade must not move them.
    assert_eq!(slots("{every: 1h}", AFTER, 2), EVERY_HOUR);
    assert_eq!(slots("{every: 1500ms}", AFTER, 2).len(), 2);
}

const EVERY_HOUR: [&str; 2] = ["2026-01-01T00:27:29+00:00", "2026-01-01T01:27:29+00:00"];

#[test]
fn without_a_time_there_is_no_slot() {
    for yaml in ["{}", "{once: {now: {}}}", "{timeZone: Europe/Paris}"] {
        assert!(Slots::new(&schedule(yaml), "default/hr").unwrap().is_none(), "{yaml}");
        assert_eq!(next(&schedule(yaml), "default/hr", Timestamp::UNIX_EPOCH), None);
    }
    for cron in ["0 0 0 30 2 ?", "0 0 0 1 1 ? 2025"] {
        assert_eq!(
            next(&schedule(&format!("{{cron: '{cron}'}}")), "default/hr", AFTER.parse().unwrap()),
            None,
            "{cron}"
        );
    }
    assert_eq!(next(&schedule("{daily: {at: '01:00'}}"), "x", Timestamp::MAX), None);
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    for (yaml, expected) in [
        (
            "{daily: {at: '01:00'}, timeZone: Europe/Pariss}",
            "timeZone: `Europe/Pariss` is not a time zone of the IANA database; is it Europe/Paris?",
        ),
        (
            "{daily: {at: '01:00'}, timeZone: xq}",
            "timeZone: `xq` is not a time zone of the IANA database; write one like Europe/Paris",
        ),
        ("{daily: {at: '24:00'}}", "daily.at: `24:00` is no time of day: write it like \"01:00\""),
        (
            "{once: {at: '2026-02-30T01:00:00'}}",
            "once.at: `2026-02-30T01:00:00` is no date that exists: write it like 2026-12-01T01:00:00",
        ),
        ("{every: 10ms}", "every: the shortest interval is 1s: each look asks the server for its files"),
        (
            "{cron: '0 1 * * *'}",
            "cron: `0 1 * * *` has 5 fields; Quartz has six or seven: second, minute, hour, day of month, month, day of week, \
             and perhaps the year, like \"0 0 1 * * ?\"; put the seconds first: this looks like five fields without them",
        ),
        (
            "{cron: '0 0 6 L-2 * ?'}",
            "cron: days before the last one (`L-2`) are not supported: use L, LW, or a day of the month",
        ),
        (
            "{cron: '0 0 6 1 * MON'}",
            "cron: `0 0 6 1 * MON` names a day of the month (1) and a day of the week (MON); write ? for one of them",
        ),
        (
            "{cron: '@daily'}",
            "cron: names like @daily are not Quartz: write the fields, like \"0 0 1 * * ?\" for each day at 01:00",
        ),
        (
            "{cron: '? 0 1 * * ?'}",
            "cron: `? 0 1 * * ?` is not Quartz: `+` means nothing, and `?` stands for a day only (fields 4 and 6)",
        ),
    ] {
        assert_eq!(error(yaml), expected, "{yaml}");
    }
    for cron in
        ["0 0 25 * * ?", "0 60 1 * * ?", "0 0 1 32 * ?", "0 0 1 * 13 ?", "0 0 1 ? * 8", "x 0 1 * * ?", "0 0 1 ? * 6#6"]
    {
        let error = error(&format!("{{cron: '{cron}'}}"));
        assert!(error.starts_with(&format!("cron: `{cron}` is not a cron expression: ")), "{error}");
        assert!(error.ends_with("; write it like \"0 0 1 * * ?\" (each day at 01:00)"), "{error}");
    }
}

//! Times as people read them.

use jiff::{Timestamp, tz::TimeZone};

/// `Tue 24 Nov 2026, 01:00 Europe/Paris`
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    let there = at.to_zoned(zone.clone());
    let name = match zone.iana_name() {
        None | Some("Etc/UTC" | "UTC") => there.strftime("%Z").to_string(),
        Some(name) => name.to_owned(),
    };
    format!("{} {name}", there.strftime("%a %-d %b %Y, %H:%M"))
}

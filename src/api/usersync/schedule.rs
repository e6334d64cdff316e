//! `spec.schedule`: when runs start by themselves.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{duration::Duration, reference::Empty};

/// When runs start by themselves: at most one of `every`, `once`, `daily`, `weekly`, `monthly` and `cron`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "[has(self.every), has(self.once), has(self.daily), has(self.weekly), has(self.monthly), has(self.cron)].filter(kind, kind).size() <= 1")
    .message("keep only one of every, once, daily, weekly, monthly and cron"))]
pub struct ScheduleSpec {
    /// Looks into the folder again and again, with this time between. Example: `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// One run in this resource's life: `{at: "2026-12-01T01:00:00"}`, or `{now: {}}` as soon as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// Each day. Example: `{at: "01:00"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<Daily>,
    /// On some days of each week. Example: `{days: [Mon, Fri], at: "01:00"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// On a day of each month. Example: `{day: 1, at: "01:00"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Monthly>,
    /// A cron expression as Quartz reads it: six or seven fields, seconds first. Example: `"0 0 1 * * ?"` (each day at 01:00).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub cron: Option<String>,
    /// IANA name of the time zone of all these times. Default: `Etc/UTC`. Example: `Europe/Paris`.
    #[serde(default = "super::etc_utc")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9][-+_/A-Za-z0-9]*$"))]
    pub time_zone: String,
    /// A start that was missed for longer than this is skipped; of several missed ones one run makes up. Default: `1h`.
    #[serde(default = "default_deadline")]
    pub starting_deadline: Duration,
    /// Raises an alert when no file came for this long. Default: never. Example: `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_file_every: Option<Duration>,
}

impl Default for ScheduleSpec {
    fn default() -> Self {
        Self {
            every: None,
            once: None,
            daily: None,
            weekly: None,
            monthly: None,
            cron: None,
            time_zone: super::etc_utc(),
            starting_deadline: default_deadline(),
            expect_file_every: None,
        }
    }
}

fn default_deadline() -> Duration {
    Duration::hours(1)
}

/// One run in a resource's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.at) != has(self.now)")
    .message("say exactly one: at: \"2026-12-01T01:00:00\" or now: {}"))]
pub struct Once {
    /// Date and time, in the schedule's time zone. Example: `"2026-12-01T01:00:00"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 19),
        regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")
    )]
    pub at: Option<String>,
    /// As soon as the resource is there. Written `now: {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Empty>,
}

/// Each day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Daily {
    /// Time of day, in the schedule's time zone. Example: `"01:00"`.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: String,
}

/// On some days of each week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Weekly {
    /// The days: Mon, Tue, Wed, Thu, Fri, Sat, Sun. Example: `[Mon, Fri]`.
    #[schemars(length(min = 1, max = 7))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub days: Vec<Weekday>,
    /// Time of day, in the schedule's time zone. Example: `"01:00"`.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: String,
}

/// On a day of each month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Monthly {
    /// Day of the month, 1 to 31. In a month that is shorter, its last day. Example: 1.
    #[schemars(range(min = 1, max = 31))]
    pub day: u8,
    /// Time of day, in the schedule's time zone. Example: `"01:00"`.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

//! A `UserSyncRun` as it was kept: read no further than an approval needs, so that a later release still understands what
//! an earlier one wrote.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_yaml::Value;

use super::private::StateError;
use crate::{
    api::UserSyncRun,
    model::{
        job::{Seen, Shown},
        reason::Reason,
    },
};

/// A held run, as far as an approval of it needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The run's name.
    pub run: String,
    /// What a person saw of it.
    pub seen: Seen,
}

/// A run that was kept.
pub(super) struct Kept {
    path: PathBuf,
    object: Value,
    sync: String,
    started: Option<Timestamp>,
}

impl Kept {
    /// Reads the file's text.
    pub fn read(path: PathBuf, text: &str) -> Result<Self, StateError> {
        let object: Value = match serde_yaml::from_str(text) {
            Ok(object) => object,
            Err(why) => return Err(StateError::Corrupt { path, why: why.to_string() }),
        };
        let Some(sync) = object["spec"]["sync"].as_str().map(str::to_owned) else {
            return Err(StateError::Corrupt { path, why: "spec.sync is missing".into() });
        };
        let started = match &object["status"]["startTime"] {
            Value::Null => None,
            value => match value.as_str().and_then(|text| text.parse().ok()) {
                Some(time) => Some(time),
                None => return Err(StateError::Corrupt { path, why: "status.startTime is no time".into() }),
            },
        };
        Ok(Self { path, object, sync, started })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose run it is.
    pub fn sync(&self) -> &str {
        &self.sync
    }

    /// When it began.
    pub fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// Whether it is held, with the file of this SHA-256.
    pub fn held(&self, sha256: &str) -> bool {
        let status = &self.object["status"];
        let held = status["conditions"].as_sequence().into_iter().flatten().any(|condition| {
            condition["type"].as_str() == Some("Succeeded")
                && condition["reason"].as_str() == Some(Reason::Held.as_str())
        });
        held && status["file"]["sha256"].as_str().is_some_and(|is| is.eq_ignore_ascii_case(sha256))
    }

    /// The run as an approval of it needs it.
    pub fn held_run(&self) -> Result<Held, StateError> {
        let corrupt = |why: &str| StateError::Corrupt { path: self.path.clone(), why: why.to_owned() };
        let shown = self.shown()?;
        let run = self.object["metadata"]["name"].as_str().ok_or_else(|| corrupt("metadata.name is missing"))?;
        // Missing is not the same as none: an approval that can't be judged must not pass.
        let last = self.object["status"]["basis"]["lastImport"].as_str();
        let last = last.ok_or_else(|| corrupt("status.basis.lastImport is missing"))?;
        let last = Some(last.to_owned()).filter(|run| !run.is_empty());
        Ok(Held { run: run.to_owned(), seen: Seen { shown, last, file: None } })
    }

    /// When it ended; where only the second is known, at its end.
    pub fn ended(&self) -> Option<Timestamp> {
        let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        time(&self.object["status"]["basis"]["ended"]).or_else(|| {
            let second = time(&self.object["status"]["completionTime"])?;
            second.checked_add(SignedDuration::from_nanos(999_999_999)).ok()
        })
    }

    /// What it showed. A number that is missing is no zero: an approval would cover less, or more, than was seen.
    fn shown(&self) -> Result<Shown, StateError> {
        let number = |part: &str, name: &str| {
            let value = self.object["status"][part][name].as_u64();
            value.ok_or_else(|| StateError::Corrupt {
                path: self.path.clone(),
                why: format!("status.{part}.{name} is no whole number"),
            })
        };
        Ok(Shown {
            removals: number("guard", "removals")?,
            emptied: number("guard", "emptied")?,
            rejected: number("counts", "rejected")?,
            updated: number("counts", "updated")?,
        })
    }

    /// The whole object.
    pub fn into_run(self) -> Result<UserSyncRun, StateError> {
        let path = self.path;
        serde_yaml::from_value(self.object).map_err(|why| StateError::Corrupt { path, why: why.to_string() })
    }
}

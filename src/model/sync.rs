//! A sync from outside: its name, what starts its runs, what went wrong.

use std::fmt;

use jiff::Timestamp;

use super::{condition::ConditionReason, file::Stamp, reason::Reason};

/// A UserSync's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Key {
    /// `NAMESPACE/NAME`, whatever the namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a run is for. At most one run of a sync has the same cause: its name is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A slot of the schedule.
    Slot(Timestamp),
    /// The annotation `usersync.dev/update-now` with this value.
    UpdateNow(String),
    /// The annotation `usersync.dev/simulate-now` with this value.
    SimulateNow(String),
    /// The annotation `usersync.dev/approve` on a held run.
    Approval {
        /// The held run's name.
        run: String,
        /// The annotation's value.
        sha256: String,
    },
}

/// Why something can't be used, or a run could not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In one word.
    pub reason: Reason,
    /// What, where, why, what to do; no secret.
    pub message: String,
}

/// What a run that has ended left to do: it is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// In one word.
    pub reason: ConditionReason,
    /// What: the beginning of the message, with the file and the run in it.
    pub about: String,
    /// What, where, why; no secret.
    pub message: String,
}

/// A file that a run of this sync has tried, with the spec as it is, and did not import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The file.
    pub file: Stamp,
    /// Held: with `select: Oldest` and `All` later files wait behind it.
    pub held: bool,
}

/// A file that a scheduled run would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The file.
    pub file: Stamp,
    /// One look was enough: it has not been written to for `stableFor` already.
    pub settled: bool,
}

/// Whether source and target can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitness {
    /// Digest of the Secrets and ConfigMaps that the spec names, in hexadecimal.
    pub references: String,
    /// What was found out. None: only the references were read.
    pub found: Option<Found>,
}

/// What was found out about source and target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The source answered, the login works, the folder exists. (With a reference missing, both are that failure.)
    pub source: Result<(), Failure>,
    /// The database answered, the table fits.
    pub target: Result<(), Failure>,
}

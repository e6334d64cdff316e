//! What the model's world is made of: the API server, two replicas, the folder and the database, and what is counted to see
//! that every promise is kept.

use jiff::Timestamp;
use usersync::model::reason::Reason;

use super::table::Id;

/// The world at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What time it is: a number of [`super::spec::Times`].
    pub clock: u8,
    pub api: Api,
    pub replicas: [Replica; 2],
    /// A write whose answer got lost: it arrives late, twice or never.
    pub late: Option<Late>,
    pub place: Place,
    pub seen: Seen,
    /// What may still happen to the world.
    pub left: Left,
    /// The promise that was broken.
    pub wrong: Option<Wrong>,
}

/// What the API server has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Api {
    pub sync: Doc,
    /// The runs (with their status), by name.
    pub runs: Vec<Id>,
}

/// The UserSync.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Doc {
    /// Which of [`super::spec::VARIANTS`] its spec is.
    pub variant: u8,
    pub suspend: bool,
    pub generation: u8,
    /// The tokens of update-now and simulate-now; 0: there is none.
    pub update: u8,
    pub simulate: u8,
    /// None: it has no status yet.
    pub status: Option<Id>,
}

/// A process of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    /// It believes that it leads.
    pub leads: bool,
    pub memory: Id,
    pub attempt: Option<Attempt>,
    /// Its watch is stuck: this is what it shows.
    pub stuck: Option<Api>,
}

/// A run at work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    pub order: Id,
    pub phase: Phase,
    /// It was told to hurry: this try is the last one.
    pub last: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It has not touched anything.
    Begun,
    /// It waits for the source.
    Waits,
    /// It has looked, and would end like this.
    Ready(Plan),
    /// The run was still its own when it asked, and it is about to commit.
    Sure(Plan),
}

/// How an attempt would end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    pub reason: Reason,
    pub file: Option<u8>,
    /// The import that was committed last when it looked.
    pub last: Option<Id>,
    pub commits: bool,
}

/// A step of a replica: a [`usersync::model::view::Decision`] in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    Wait(Option<Timestamp>),
    Note(Id),
    /// A status that may be written on what a watch has shown.
    Say(Id),
    Create(Id),
    Execute(Id),
    End(Id, Id),
    Leave,
    Hurry,
    Forget(Vec<Id>),
    Probe(bool),
    Look(Timestamp, Id),
    Finish,
    /// These runs are told.
    Deliver(Vec<Id>),
    /// A run's status says who was told.
    Tell(Id, Id),
}

/// What a replica does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// It looks at the truth, and does one thing.
    Step(usize),
    /// The same, by what its watch shows.
    Glance(usize),
    /// The same, but its write gets lost on the way.
    Lose(usize),
    /// The run at work tries to do what it should.
    Try(usize),
    /// The run at work ends.
    Finish(usize),
}

/// A write on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Late {
    pub choice: Choice,
    /// The sync as it was when that was decided.
    pub of: Doc,
}

/// The folder and the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub files: [Option<File>; 2],
    /// The source can't be reached.
    pub down: bool,
    /// The folder for imported files can't be used.
    pub blocked: bool,
    /// The mail server is down.
    pub mute: bool,
    pub ledger: Vec<Row>,
    /// Whose attempt opened the ledger last.
    pub fence: Option<u8>,
    /// How many attempts have ended: no two do so at the same moment.
    pub ends: u8,
}

/// A file in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct File {
    pub kind: Kind,
    /// When it came.
    pub clock: u8,
}

/// What an import of a file comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Good,
    /// A safeguard is breached.
    Held,
    /// It is no CSV.
    Bad,
}

/// A committed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub run: Id,
    pub file: u8,
    /// The spec that it went by.
    pub variant: u8,
    /// Its file is not moved yet.
    pub open: bool,
}

/// What has happened, for the promises' sake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Runs (their names) that were claimed.
    pub claimed: Vec<Id>,
    /// Runs that were made: a name twice, if it was made twice.
    pub made: Vec<Id>,
    /// Runs that ended, in order.
    pub ended: Vec<Id>,
    /// Somebody approved a held run.
    pub approved: bool,
    /// Runs of which a mail was sent.
    pub mailed: Vec<Id>,
    /// Somebody may have died, or been overtaken, between sending a mail and noting that.
    pub unnoted: bool,
}

/// How often each thing may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Left {
    pub clock: u8,
    pub edit: u8,
    pub suspend: u8,
    pub update: u8,
    pub revert: u8,
    pub simulate: u8,
    pub approve: u8,
    pub files: u8,
    pub outage: u8,
    pub block: u8,
    pub mute: u8,
    pub crash: u8,
    pub takeover: u8,
    pub stuck: u8,
    pub late: u8,
    pub repeat: u8,
}

/// Promises, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// One cause was claimed twice, or its run made or carried out again after its end.
    Twice,
    /// A file was imported twice by the schedule with the same spec.
    FileTwice,
    /// A scheduled run of a suspended sync.
    Suspended,
    /// Two runs at work, or one that nothing claimed.
    AtOnce,
    /// A held file was imported that nobody approved.
    Unapproved,
    /// The status forgot something, or went back.
    Backwards,
    /// A run that ended didn't stay so, or ended as something else than it did.
    Unended,
    /// A claim was dropped before its run ended.
    Dropped,
    /// An event that doesn't fit what happened.
    Event,
    /// A mail was sent twice, and nobody had died in between.
    Mailed,
}

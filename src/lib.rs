//! UserSync brings people from CSV files into a user database, the GitOps way.
//!
//! The modules are layers; an arrow (`use crate::…`) points down this list only:
//!
//! | layer | what it does |
//! |---|---|
//! | [`cli`] | the command line: arguments in, text and exit codes out |
//! | [`app`] | the composition root: the one place that names the engine and the adapters |
//! | [`telemetry`] | what the process says of itself: metrics, health |
//! | [`host`] | where syncs come from and where their status goes: a cluster, a folder |
//! | [`reports`] | adapters that keep reports |
//! | [`notify`] | adapters that tell people: mail, webhook |
//! | [`source`] | adapters that fetch files: a directory, SFTP, FTP |
//! | [`store`] | adapters that hold users: SQLite, PostgreSQL, MariaDB and MySQL |
//! | [`beneath`] | folders of this machine, opened so that no link leads out of the one that may be used |
//! | [`trust`] | which certificates are believed, and in plain words why one is not |
//! | [`engine`] | the run: file → rows → plan → applied → report; effects only through [`ports`] |
//! | [`control`] | pure: validate a manifest, compute a schedule, decide what to do next, say how it is |
//! | [`sync`] | pure: decode, map, compare, guard, render |
//! | [`ports`] | the traits between the engine and the world |
//! | [`model`] | words without logic: job, user, change, report |
//! | [`api`] | the custom resources; their doc comments are the CRD's descriptions |

pub mod api;
pub mod app;
pub mod beneath;
pub mod cli;
pub mod control;
pub mod engine;
pub mod host;
pub mod model;
pub mod notify;
pub mod ports;
pub mod reports;
pub mod source;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod trust;

//! The custom resources `UserSync` and `UserSyncRun` (`usersync.dev/v1alpha1`).
//!
//! | file | part |
//! |---|---|
//! | `usersync/` | what a person writes, part by part, and the status that comes back |
//! | `run` | one run |
//! | `delivery` | who was told of it |
//! | `outcome` | what a run says of itself: mode, file, counts, guard, progress, reports |
//! | `reference` | names of Secrets and ConfigMaps |
//! | `duration`, `size`, `limit` | texts with a meaning: `1h30m`, `200Mi`, `10%` |
//! | `crd` | the definitions as objects, schemas and YAML |
//!
//! The doc comments of fields are the descriptions that `kubectl explain` shows.

pub mod crd;
pub mod delivery;
pub mod duration;
pub mod limit;
pub mod outcome;
pub mod reference;
pub mod run;
pub mod size;
pub mod usersync;

pub use self::{
    crd::{crd_files, crds},
    delivery::{Delivery, DeliveryKind, DeliveryState},
    outcome::{Counts, FileReport, GuardReport, Mode, Progress, Reports, Step},
    run::{Basis, Trigger, UserSyncRun, UserSyncRunSpec, UserSyncRunStatus},
    usersync::{
        Action, ConflictMode, UserSync, UserSyncSpec,
        mapping::{EmptyCell, PropertyPolicy, PropertyType},
        server::{Algorithms, FtpTls},
        source::Select,
        status::UserSyncStatus,
    },
};

/// The resources' group.
pub const GROUP: &str = "usersync.dev";
/// The resources' group and version, as `apiVersion` has it.
pub const API_VERSION: &str = "usersync.dev/v1alpha1";
/// Annotation on a UserSync: a new value starts one import.
pub const UPDATE_NOW: &str = "usersync.dev/update-now";
/// Annotation on a UserSync: a new value starts one simulation.
pub const SIMULATE_NOW: &str = "usersync.dev/simulate-now";
/// Annotation on a held UserSyncRun: the SHA-256 of its file starts one import of it.
pub const APPROVE: &str = "usersync.dev/approve";

/// Label on a UserSyncRun: the UID of its UserSync.
pub const SYNC_UID: &str = "usersync.dev/sync-uid";
/// The field manager of everything that UserSync writes.
pub const MANAGER: &str = "usersync";

//! Runs whose database dies, stands still, is edited meanwhile or refuses, and whose process is killed or paused: on SQLite,
//! PostgreSQL and MariaDB nothing is half, nothing is twice, nothing is lost. `USERSYNC_LONG` makes it longer, `USERSYNC_SEED` repeats it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "targets/another.rs"]
mod another;
#[path = "targets/dice.rs"]
mod dice;
#[path = "targets/killed.rs"]
mod killed;
#[path = "targets/paused.rs"]
mod paused;
#[path = "targets/place.rs"]
mod place;
#[path = "targets/removal.rs"]
mod removal;
#[path = "targets/rules.rs"]
mod rules;
#[path = "targets/steps.rs"]
mod steps;
mod support;
#[path = "targets/types.rs"]
mod types;
#[path = "targets/writer.rs"]
mod writer;
#[path = "targets/wrong.rs"]
mod wrong;

/// Each scenario on each database, on a server that all share.
macro_rules! on_each_database {
    ($($name:ident)+) => {
        on_each_database! { sqlite(crate::place::Place::sqlite) $($name)+ }
        on_each_database! { postgres_server(crate::place::Place::postgres) $($name)+ }
        on_each_database! { mariadb_server(crate::place::Place::mariadb) $($name)+ }
    };
    ($module:ident($place:expr) $($name:ident)+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(tokio::task::block_in_place($place)).await;
            })+
        }
    };
}
pub(crate) use on_each_database;

//! Who may write which table: pure rules on claims, and the words for one that stands against another.

use std::{collections::BTreeMap, fmt};

use crate::{
    api::Action,
    model::{job::SyncId, ledger::Claim},
    ports::StoreError,
};

/// Whether no user can be in both scopes: some column is in both, with different values.
pub fn disjoint(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    one.iter().any(|(column, value)| other.get(column).is_some_and(|theirs| theirs != value))
}

/// The first of the `standing` claims that `claim` can't stand beside: another sync on the same table, one of the two
/// a Mirror, and scopes that are not disjoint. (Tables are the same when their names are: the store resolves them.)
pub fn conflict<'a>(claim: &Claim, standing: &'a [Claim]) -> Option<&'a Claim> {
    standing.iter().find(|other| {
        other.sync != claim.sync
            && other.table == claim.table
            && (other.action == Action::Mirror || claim.action == Action::Mirror)
            && !disjoint(&claim.scope, &other.scope)
    })
}

/// The words for [`crate::ports::StoreError::Shared`]. `ledger` is the table of claims, as SQL names it.
pub fn message(claim: &Claim, other: &Claim, ledger: &str) -> String {
    let stands = if other.action == Action::Mirror {
        format!("sync {} mirrors table {} and would remove this sync's users", other.sync, other.table)
    } else {
        format!("sync {} writes table {} too, and action Mirror would remove its users", other.sync, other.table)
    };
    let scope = if other.scope.is_empty() {
        "it has no scope".to_owned()
    } else {
        let columns: Vec<String> = other.scope.iter().map(|(column, value)| format!("{column}: {value}")).collect();
        format!("its scope is {{{}}}", columns.join(", "))
    };
    let instance = if other.sync.instance == claim.sync.instance {
        String::new()
    } else {
        format!("; it belongs to instance {}", other.sync.instance)
    };
    format!(
        "{stands} ({scope}{instance}). Give each a target.scope with the same column and different values. \
         If that sync is gone, run: {}",
        delete(&other.sync, ledger)
    )
}

/// Where claims stand, and where the sync that asks keeps its ledger.
pub struct Place<'a> {
    /// The database, in words.
    pub database: &'a dyn fmt::Display,
    /// The users' table, as people are told of it.
    pub table: &'a str,
    /// The schema in which the sync keeps its ledger.
    pub own: &'a str,
    /// The schema in which these claims stand.
    pub schema: &'a str,
    /// Their table, as SQL names it.
    pub syncs: &'a str,
}

/// Whether the claim could stand beside those of one ledger, and that ledger is not one that the sync had before its own. `compared`
/// are the `standing` ones with scopes as the server compares them.
pub fn judge(claim: &Claim, standing: &[Claim], compared: &[Claim], place: &Place<'_>) -> Result<(), StoreError> {
    if let Some(against) = conflict(claim, compared) {
        let other = standing.iter().find(|other| other.sync == against.sync).unwrap_or(against);
        let other = Claim { table: place.table.to_owned(), ..other.clone() };
        return Err(StoreError::Shared(message(claim, &other, place.syncs)));
    }
    if place.schema != place.own && stands(claim, standing) {
        let elsewhere = elsewhere(claim, place.own, place.schema, place.syncs);
        return Err(StoreError::Invalid(format!("{}: {elsewhere}", place.database)));
    }
    Ok(())
}

/// Whether the sync stands among the claims already, for the same table.
fn stands(claim: &Claim, standing: &[Claim]) -> bool {
    standing.iter().any(|other| other.sync == claim.sync && other.table == claim.table)
}

/// The words for a ledger that is not where the manifest says.
fn elsewhere(claim: &Claim, wanted: &str, found: &str, ledger: &str) -> String {
    format!(
        "the ledger of sync {} is in schema {found}, not in {wanted}: with another one, files that were imported would be imported \
         again. Write target.ledgerSchema: {found}. If this sync is to begin anew, and its files may come again, run: {}",
        claim.sync,
        delete(&claim.sync, ledger)
    )
}

/// The statement that forgets a sync's claim.
fn delete(sync: &SyncId, ledger: &str) -> String {
    format!(
        "delete from {ledger} where instance = {} and namespace = {} and sync = {}",
        literal(&sync.instance),
        literal(&sync.namespace),
        literal(&sync.name),
    )
}

/// Text as an SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(column, value)| (column.to_owned(), value.to_owned())).collect()
    }

    fn claim(name: &str, table: &str, action: Action, columns: &str) -> Claim {
        let sync = SyncId { instance: "usersync".into(), namespace: "default".into(), name: name.into() };
        Claim { sync, table: table.into(), scope: scope(columns), action }
    }

    #[test]
    fn scopes_are_disjoint_only_by_a_column_in_both() {
        for (one, other, expected) in [
            ("", "", false),
            ("org=a", "", false),
            ("", "org=a", false),
            ("org=a", "org=a", false),
            ("org=a", "org=b", true),
            ("org=a", "site=b", false),
            ("org=a site=x", "org=a site=y", true),
            ("org=a site=x", "org=a", false),
            ("org=a site=x", "org=b", true),
        ] {
            assert_eq!(disjoint(&scope(one), &scope(other)), expected, "{one:?} and {other:?}");
            assert_eq!(disjoint(&scope(other), &scope(one)), expected, "{other:?} and {one:?}");
        }
    }

    #[test]
    fn a_mirror_stands_alone_on_its_part_of_a_table() {
        use Action::{Delete, Mirror, Upsert};
        for (ours, theirs, table, scopes, expected) in [
            (Upsert, Upsert, "users", ("", ""), false),
            (Upsert, Delete, "users", ("", ""), false),
            (Mirror, Upsert, "users", ("", ""), true),
            (Upsert, Mirror, "users", ("", ""), true),
            (Mirror, Delete, "users", ("", ""), true),
            (Mirror, Mirror, "users", ("", ""), true),
            (Mirror, Mirror, "guests", ("", ""), false),
            (Mirror, Mirror, "users", ("org=a", "org=b"), false),
            (Mirror, Upsert, "users", ("org=a", ""), true),
            (Mirror, Upsert, "users", ("org=a", "site=b"), true),
        ] {
            let standing = [claim("b", "users", theirs, scopes.1)];
            let found = conflict(&claim("a", table, ours, scopes.0), &standing);
            assert_eq!(found.is_some(), expected, "{ours:?} beside {theirs:?} on {table}, {scopes:?}");
        }
        let own = [claim("a", "users", Mirror, "")];
        assert_eq!(conflict(&claim("a", "users", Mirror, ""), &own), None, "its own earlier claim");
        let mut elsewhere = claim("a", "users", Upsert, "");
        elsewhere.sync.instance = "other".into();
        assert!(conflict(&claim("a", "users", Mirror, ""), &[elsewhere]).is_some(), "the same name elsewhere");
    }

    #[test]
    fn a_ledger_elsewhere_is_named_with_what_to_do() {
        let ours = claim("hr", "\"app\".\"users\"", Action::Upsert, "");
        let standing =
            [claim("hr", "\"app\".\"guests\"", Action::Upsert, ""), claim("b", &ours.table, Action::Upsert, "")];
        assert!(!stands(&ours, &standing), "the same sync on another table, another sync on the same");
        assert!(stands(&ours, &[claim("hr", &ours.table, Action::Mirror, "")]));
        let text = elsewhere(&ours, "sync", "app", "app.usersync_syncs");
        assert_eq!(
            text,
            "the ledger of sync hr is in schema app, not in sync: with another one, files that were imported would be imported \
             again. Write target.ledgerSchema: app. If this sync is to begin anew, and its files may come again, run: \
             delete from app.usersync_syncs where instance = 'usersync' and namespace = 'default' and sync = 'hr'"
        );
    }

    #[test]
    fn the_words_name_the_other_sync_and_how_to_mend_it() {
        let ours = claim("hr", "users", Action::Mirror, "");
        let text = message(&ours, &claim("o'guests", "users", Action::Upsert, "org=a"), "usersync_syncs");
        assert_eq!(
            text,
            "sync o'guests writes table users too, and action Mirror would remove its users (its scope is {org: a}). \
             Give each a target.scope with the same column and different values. If that sync is gone, run: \
             delete from usersync_syncs where instance = 'usersync' and namespace = 'default' and sync = 'o''guests'"
        );
        let mut mirror = claim("guests", "users", Action::Mirror, "");
        mirror.sync.instance = "east".into();
        let text = message(&ours, &mirror, "usersync_syncs");
        assert!(
            text.contains("would remove this sync's users (it has no scope; it belongs to instance east)"),
            "{text}"
        );
    }
}

//! What neither schema nor CEL rule can say of a spec.

use std::collections::BTreeSet;

use super::{
    JobProblem, notice,
    target::{is_file, scheme, useless},
    time_zone, unavailable,
};
use crate::api::{
    Action, PropertyPolicy, UserSyncSpec,
    duration::Duration,
    usersync::{
        mapping::{ColumnNames, PropertySpec},
        source::SourceSpec,
        target::{RemovalPolicy, RemovalSpec, TargetSpec},
    },
};

/// Every problem of a spec that code finds, and [`unavailable()`]; needs no Secret.
pub fn problems(spec: &UserSyncSpec) -> Vec<JobProblem> {
    let mut found = unavailable(spec);
    source(spec, &mut found);
    mapping(spec, &mut found);
    found.extend(notice::problems(spec));
    if spec.removal.policy == RemovalPolicy::Deactivate {
        removal(spec, &mut found);
    }
    if let Some(target) = &spec.target {
        self::target(target, &mut found);
    }
    if let Some(every) = spec.schedule.as_ref().and_then(|schedule| schedule.every)
        && every < Duration::seconds(1)
    {
        found.push(JobProblem::new(
            "spec.schedule.every",
            "a folder can be looked into once a second at most: write 1s or more",
        ));
    }
    found
}

/// The problem of an `action: Delete` without files.
pub fn no_files() -> JobProblem {
    let message = "action: Delete removes the users that a file lists: name its files, so that it never takes a list of \
                   users to keep";
    JobProblem::new("spec.source.files", message)
}

/// The problem of a match key without any name.
fn no_user_id() -> JobProblem {
    JobProblem::new("spec.mapping.userId", "name the column of the file that identifies a user: column: employee_id")
}

/// Whether the encoding is known.
pub fn encoding(label: &str) -> Result<(), JobProblem> {
    match encoding_rs::Encoding::for_label(label.as_bytes()) {
        Some(encoding) if encoding != encoding_rs::REPLACEMENT => Ok(()),
        _ => Err(JobProblem::new(
            "spec.source.csv.encoding",
            format!("“{label}” is no known encoding; write for example UTF-8, windows-1252, ISO-8859-15 or UTF-16LE"),
        )),
    }
}

fn source(spec: &UserSyncSpec, found: &mut Vec<JobProblem>) {
    let source = &spec.source;
    match spec.files() {
        None => found.push(no_files()),
        Some(files) => {
            if let Err(error) = globset::Glob::new(files) {
                let message = format!("“{files}” is not a pattern for file names: {}", error.kind());
                found.push(JobProblem::new("spec.source.files", message));
            }
        }
    }
    found.extend(encoding(&source.csv.encoding).err());
    if source.max_size.bytes() == 0 {
        found.push(JobProblem::new("spec.source.maxSize", "no file would be small enough: write for example 200Mi"));
    }
    folders(source, found);
    let keys = source.sftp.iter().flat_map(|sftp| &sftp.host_keys).enumerate();
    found.extend(keys.filter_map(|(index, key)| host_key(index, key)));
    let timeouts = &source.timeouts;
    for (name, timeout) in [("connect", timeouts.connect), ("login", timeouts.login), ("stall", timeouts.stall)] {
        found.extend(some_time(format!("spec.source.timeouts.{name}"), timeout));
    }
}

/// A host key is `TYPE BASE64`, or stands so in a line of `known_hosts`. Whether it is a key of that type is seen when it
/// is compared with the server's.
fn host_key(index: usize, key: &str) -> Option<JobProblem> {
    let words: Vec<_> = key.split_whitespace().collect();
    let is_key = |pair: &[&str]| {
        let kind = ["ssh-", "ecdsa-", "sk-", "rsa-"].iter().any(|start| pair[0].starts_with(start));
        // The first field of every key is the length of its type's name, below 2^8: three zero bytes and one more.
        kind && pair[1].starts_with("AAAA")
    };
    if words.windows(2).any(is_key) {
        return None;
    }
    let message = if key.trim_start().starts_with("SHA256:") || key.trim_start().starts_with("MD5:") {
        "this is a fingerprint: write the public key itself, like ssh-ed25519 AAAA…, or its line of known_hosts"
    } else if key.contains("PRIVATE KEY") {
        "this is a private key: take it away from here, and write the server's public key, like ssh-ed25519 AAAA…"
    } else {
        "this is not a public key: write its type and base64, like ssh-ed25519 AAAA…, or its line of known_hosts"
    };
    Some(JobProblem::new(format!("spec.source.sftp.hostKeys[{index}]"), message))
}

/// The folders that files move to lie within the source's.
fn folders(source: &SourceSpec, found: &mut Vec<JobProblem>) {
    for (field, folder) in [
        ("spec.source.afterImport.moveTo", &source.after_import.move_to),
        ("spec.source.afterFailure.moveTo", &source.after_failure.move_to),
    ] {
        let Some(folder) = folder else { continue };
        let inside = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !folder.trim_end_matches('/').split('/').all(inside) || folder.contains('\0') {
            let message =
                format!("“{folder}” is not a folder within the source's: write for example bak or archive/2026");
            found.push(JobProblem::new(field, message));
        }
    }
}

fn some_time(field: String, duration: Duration) -> Option<JobProblem> {
    duration.is_zero().then(|| JobProblem::new(field, "nothing is done in no time: write for example 15s"))
}

fn mapping(spec: &UserSyncSpec, found: &mut Vec<JobProblem>) {
    let user_id = &spec.mapping.user_id;
    let key = user_id.property();
    match &user_id.column {
        Some(columns) => found.extend(names("spec.mapping.userId.column", columns)),
        None if key.is_none_or(str::is_empty) => found.push(no_user_id()),
        None => {}
    }
    let mut seen = BTreeSet::new();
    for (index, property) in spec.mapping.properties.iter().enumerate() {
        let field = format!("spec.mapping.properties[{index}]");
        if !seen.insert(&property.property) {
            let message = format!("“{}” is mapped twice: keep one of them", property.property);
            found.push(JobProblem::new(format!("{field}.property"), message));
        } else if key == Some(&property.property) {
            let message = format!("“{}” is mapped by userId already: remove it here", property.property);
            found.push(JobProblem::new(format!("{field}.property"), message));
        }
        self::property(&field, property, found);
    }
    found.extend(time_zone("spec.mapping.timeZone", &spec.mapping.time_zone).err());
    let Some(target) = &spec.target else { return };
    let mapped = spec.mapping.properties.iter().map(|property| property.property.as_str()).chain(key);
    for property in mapped {
        if target.protected_columns.iter().any(|column| column == property) {
            let message = format!("“{property}” is mapped and protected: remove it here or from the mapping");
            found.push(JobProblem::new("spec.target.protectedColumns", message));
        }
        if target.scope.contains_key(property) {
            let message =
                format!("“{property}” is mapped and a constant of the scope: remove it here or from the mapping");
            found.push(JobProblem::new(format!("spec.target.scope.{property}"), message));
        }
    }
}

fn property(field: &str, property: &PropertySpec, found: &mut Vec<JobProblem>) {
    if property.column.is_some() && property.expression.is_some() {
        let message = "a property comes from a column or from an expression: remove column or expression";
        found.push(JobProblem::new(format!("{field}.expression"), message));
    }
    if let Some(columns) = &property.column {
        found.extend(names(&format!("{field}.column"), columns));
    }
}

/// A list of possible column names: some, none empty, none twice.
fn names(field: &str, columns: &ColumnNames) -> Option<JobProblem> {
    let names = columns.names();
    let message = if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
        "name a column of the file's header".to_owned()
    } else if names.len() > ColumnNames::MAX_NAMES {
        format!("{} names are too many: list {} at most", names.len(), ColumnNames::MAX_NAMES)
    } else if let Some(long) = names.iter().find(|name| name.chars().count() > ColumnNames::MAX_LENGTH) {
        format!("a name of {} characters is too long: {} at most", long.chars().count(), ColumnNames::MAX_LENGTH)
    } else {
        let mut seen = BTreeSet::new();
        let twice = names.iter().find(|name| !seen.insert(*name))?;
        format!("“{twice}” stands there twice: remove one")
    };
    Some(JobProblem::new(field, message))
}

fn removal(spec: &UserSyncSpec, found: &mut Vec<JobProblem>) {
    let removal = &spec.removal;
    let field = "spec.removal.set";
    if removal.set.is_empty() {
        let message =
            "policy: Deactivate needs set: the columns that mark a user as inactive, like {active: \"false\"}";
        found.push(JobProblem::new(field, message));
    }
    for column in removal.set.keys() {
        let role = if spec.mapping.user_id.property() == Some(column) {
            "the match key"
        } else if spec.target.as_ref().is_some_and(|target| target.scope.contains_key(column)) {
            "a constant of target.scope"
        } else if spec.target.as_ref().is_some_and(|target| target.protected_columns.contains(column)) {
            "in target.protectedColumns"
        } else {
            continue;
        };
        let message = format!("“{column}” is {role} and can't mark a user as inactive: name another column");
        found.push(JobProblem::new(format!("{field}.{column}"), message));
    }
    restore(spec, removal, found);
    if removal.grace_period.is_some_and(Duration::is_zero) {
        let message =
            "without any time between, users are deleted at once: write policy: Delete instead, or a longer time";
        found.push(JobProblem::new("spec.removal.gracePeriod", message));
    }
}

/// Whom a run deactivated and a later file lists again must be set back by something.
fn restore(spec: &UserSyncSpec, removal: &RemovalSpec, found: &mut Vec<JobProblem>) {
    for (column, value) in &removal.restore {
        let field = format!("spec.removal.restore.{column}");
        match removal.set.get(column) {
            None => found.push(JobProblem::new(field, "restore sets back what set has set: name only columns of set")),
            Some(set) if set == value => {
                found.push(JobProblem::new(
                    field,
                    "this is the value that marks a user as inactive: write the other one",
                ));
            }
            Some(_) => {}
        }
    }
    let written = |column: &String| {
        let properties = &spec.mapping.properties;
        properties.iter().any(|p| p.property == *column && p.policy == PropertyPolicy::Always)
    };
    for column in removal.set.keys().filter(|_| spec.action == Action::Mirror) {
        if !removal.restore.contains_key(column) && !written(column) {
            let message = format!(
                "a user who comes back would stay inactive: add the value of “{column}” that sets them back, like \
                 restore: {{{column}: \"true\"}}, or map the column"
            );
            found.push(JobProblem::new("spec.removal.restore", message));
        }
    }
}

fn target(target: &TargetSpec, found: &mut Vec<JobProblem>) {
    let parts: Vec<_> = target.table.split('.').collect();
    if parts.len() > 2 || parts.iter().any(|part| part.trim().is_empty()) {
        let message = format!("“{}” is not a table: write users or schema.users", target.table);
        found.push(JobProblem::new("spec.target.table", message));
    }
    if is_file(target) {
        found.extend(useless(target));
    }
    if let Some(value) = target.url.as_ref().and_then(|url| url.value.as_deref()) {
        let field = "spec.target.url.value";
        found.extend(scheme(field, value.trim()).err());
        if has_password(value) {
            let message = "this URL holds a password: put it into a Secret and name it by secretKeyRef";
            found.push(JobProblem::new(field, message));
        }
    }
    let timeouts = &target.timeouts;
    for (name, timeout) in [("connect", timeouts.connect), ("statement", timeouts.statement), ("lock", timeouts.lock)] {
        found.extend(some_time(format!("spec.target.timeouts.{name}"), timeout));
    }
}

/// Whether a URL has `USER:PASSWORD@` or a parameter `password`.
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.split('/').next().unwrap_or_default();
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_authority || query.split('&').any(|parameter| parameter.starts_with("password="))
}

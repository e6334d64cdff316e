//! The source part of a job: the server with its credentials, and which file is taken.

use super::{
    JobProblem,
    bounds::{DIRECTORY, place},
    checks,
    secrets::Reader,
};
use crate::{
    api::{
        UserSyncSpec,
        usersync::{
            server::SftpServer,
            source::{AfterFailure, AfterImport, SourceSpec, SourceTimeouts as TimeoutsSpec},
        },
    },
    model::job::{After, Bounds, SftpJob, SourceJob, SourceTimeouts, Take},
};

/// Where files come from, with what is needed to get in.
pub fn source(spec: &SourceSpec, secrets: &Reader<'_>, bounds: &Bounds) -> Result<SourceJob, Vec<JobProblem>> {
    match (&spec.sftp, &spec.directory) {
        (Some(server), None) => sftp(server, spec, secrets),
        (None, Some(directory)) => {
            let place = place(bounds, secrets.namespace, &directory.path);
            let place = place.map_err(|why| vec![JobProblem::new(DIRECTORY, why)])?;
            Ok(SourceJob::Directory { path: place.path, beneath: place.beneath })
        }
        // `unavailable` has spoken already.
        (None, None) if spec.ftp.is_some() || spec.drop_box.is_some() => Err(Vec::new()),
        _ => Err(vec![JobProblem::new("spec.source", "name exactly one source: sftp, ftp, directory or dropBox")]),
    }
}

fn sftp(server: &SftpServer, spec: &SourceSpec, secrets: &Reader<'_>) -> Result<SourceJob, Vec<JobProblem>> {
    let field = "spec.source.sftp.credentials";
    let name = &server.credentials.name;
    secrets.exists(field, name, "the key username, and password or privateKey").map_err(|problem| vec![problem])?;
    let mut found = Vec::new();
    let username = secrets.optional(name, "username").map(|secret| secret.expose().trim().to_owned());
    if username.is_none() {
        found.push(JobProblem::new(
            field,
            format!(
                "the Secret “{name}” has no key “username”, or it is empty: add it; it holds the name to log in with"
            ),
        ));
    }
    let password = secrets.optional(name, "password");
    let private_key = secrets.optional(name, "privateKey");
    if password.is_none() && private_key.is_none() {
        found.push(JobProblem::new(
            field,
            format!(
                "the Secret “{name}” has neither “password” nor “privateKey”: add one of them (privateKey: a key in \
                 OpenSSH or PEM form, with passphrase if it is encrypted)"
            ),
        ));
    }
    if server.host_keys.iter().all(|key| key.trim().is_empty()) {
        found.push(JobProblem::new(
            "spec.source.sftp.hostKeys",
            "name the server's public key; `usersync check` says how to get it",
        ));
    }
    let (Some(username), true) = (username, found.is_empty()) else { return Err(found) };
    Ok(SourceJob::Sftp(Box::new(SftpJob {
        host: server.host.clone(),
        port: server.port,
        path: spec.path.clone().unwrap_or_else(|| ".".to_owned()),
        username,
        password,
        private_key,
        passphrase: secrets.optional(name, "passphrase"),
        host_keys: server.host_keys.clone(),
        algorithms: server.algorithms,
        timeouts: timeouts(&spec.timeouts),
    })))
}

fn timeouts(spec: &TimeoutsSpec) -> SourceTimeouts {
    SourceTimeouts { connect: spec.connect.get(), login: spec.login.get(), stall: spec.stall.get() }
}

/// Which file is taken, and what becomes of it.
pub fn take(spec: &UserSyncSpec) -> Result<Take, Vec<JobProblem>> {
    let source = &spec.source;
    let files = spec.files().map(str::to_owned).ok_or_else(|| vec![checks::no_files()])?;
    Ok(Take {
        files,
        select: source.select,
        max_size: source.max_size.bytes(),
        stable_for: source.stable_for().get(),
        wait_for: source.wait_for.clone(),
        after_import: after_import(&source.after_import).map_err(|problem| vec![problem])?,
        after_failure: after_failure(&source.after_failure).map_err(|problem| vec![problem])?,
    })
}

fn after_import(spec: &AfterImport) -> Result<After, JobProblem> {
    match (&spec.move_to, &spec.keep, &spec.delete) {
        (Some(folder), None, None) => Ok(After::MoveTo(folder.trim_end_matches('/').to_owned())),
        (None, Some(_), None) => Ok(After::Keep),
        (None, None, Some(_)) => Ok(After::Delete),
        _ => Err(JobProblem::new("spec.source.afterImport", "say exactly one: moveTo: FOLDER, keep: {} or delete: {}")),
    }
}

fn after_failure(spec: &AfterFailure) -> Result<After, JobProblem> {
    match (&spec.move_to, &spec.keep) {
        (Some(folder), None) => Ok(After::MoveTo(folder.trim_end_matches('/').to_owned())),
        (None, Some(_)) => Ok(After::Keep),
        _ => Err(JobProblem::new("spec.source.afterFailure", "say exactly one: moveTo: FOLDER or keep: {}")),
    }
}

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
            server::{FtpServer, FtpTls, SftpServer},
            source::{AfterFailure, AfterImport, SourceSpec, SourceTimeouts as TimeoutsSpec},
        },
    },
    model::job::{After, Bounds, FtpJob, FtpLogin, SftpJob, SourceJob, SourceTimeouts, Take, Unpack},
};

/// Where files come from, with what is needed to get in.
pub fn source(spec: &SourceSpec, secrets: &Reader<'_>, bounds: &Bounds) -> Result<SourceJob, Vec<JobProblem>> {
    match (&spec.sftp, &spec.ftp, &spec.directory) {
        (Some(server), None, None) => sftp(server, spec, secrets),
        (None, Some(server), None) => ftp(server, spec, secrets),
        (None, None, Some(directory)) => {
            let place = place(bounds, secrets.namespace, &directory.path);
            let place = place.map_err(|why| vec![JobProblem::new(DIRECTORY, why)])?;
            Ok(SourceJob::Directory { path: place.path, beneath: place.beneath })
        }
        // `unavailable` has spoken already.
        (None, None, None) if spec.drop_box.is_some() => Err(Vec::new()),
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

fn ftp(server: &FtpServer, spec: &SourceSpec, secrets: &Reader<'_>) -> Result<SourceJob, Vec<JobProblem>> {
    let mut found = Vec::new();
    let login = match (&server.credentials, server.anonymous) {
        (Some(name), false) => ftp_login(&name.name, secrets).map(Some),
        (None, true) => Ok(None),
        _ => Err(vec![JobProblem::new(
            "spec.source.ftp",
            "give exactly one: credentials (a Secret), or anonymous: true for a server that lets anybody in",
        )]),
    };
    let login = login.map_err(|problems| found.extend(problems)).ok();
    let ca_bundle =
        server.ca_bundle.as_ref().map(|bundle| secrets.bundle("spec.source.ftp.caBundle", bundle)).transpose();
    let ca_bundle = ca_bundle.map_err(|problem| found.push(problem)).ok();
    let (Some(login), Some(ca_bundle), true) = (login, ca_bundle, found.is_empty()) else { return Err(found) };
    Ok(SourceJob::Ftp(Box::new(FtpJob {
        host: server.host.clone(),
        port: server.port.unwrap_or(if server.tls == FtpTls::Implicit { 990 } else { 21 }),
        path: spec.path.clone().unwrap_or_else(|| ".".to_owned()),
        tls: server.tls,
        login,
        ca_bundle,
        server_name: server.server_name.clone().unwrap_or_else(|| server.host.clone()),
        timeouts: timeouts(&spec.timeouts),
    })))
}

fn ftp_login(name: &str, secrets: &Reader<'_>) -> Result<FtpLogin, Vec<JobProblem>> {
    let field = "spec.source.ftp.credentials";
    secrets.exists(field, name, "the keys username and password").map_err(|problem| vec![problem])?;
    let mut found = Vec::new();
    let mut value = |key: &str, what: &str| {
        let value = secrets.optional(name, key);
        if value.is_none() {
            found.push(JobProblem::new(
                field,
                format!("the Secret “{name}” has no key “{key}”, or it is empty: add it; it holds {what}"),
            ));
        }
        value
    };
    let username = value("username", "the name to log in with");
    let password = value("password", "the password to log in with");
    let (Some(username), Some(password)) = (username, password) else { return Err(found) };
    let username = username.expose().trim().to_owned();
    if ["anonymous", "ftp"].contains(&username.to_lowercase().as_str()) {
        let message = format!(
            "the Secret “{name}” logs in as “{username}”, which lets anybody in: write anonymous: true instead of \
             credentials if that is meant"
        );
        return Err(vec![JobProblem::new(field, message)]);
    }
    // A line break would end the command, and what follows would be one of its own.
    if [username.as_str(), password.expose()].iter().any(|text| text.contains(['\r', '\n', '\0'])) {
        let message =
            format!("the Secret “{name}” has a line break or NUL in username or password: FTP can't send that");
        return Err(vec![JobProblem::new(field, message)]);
    }
    Ok(FtpLogin { username, password })
}

fn timeouts(spec: &TimeoutsSpec) -> SourceTimeouts {
    SourceTimeouts {
        connect: spec.connect.get(),
        login: spec.login.get(),
        first_byte: spec.first_byte.get(),
        stall: spec.stall.get(),
    }
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
        unpack: Unpack { max_size: source.unpack.max_size.bytes(), max_ratio: source.unpack.max_ratio },
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

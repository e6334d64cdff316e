//! What a command works on: manifests and Secrets, all of them validated before anything runs.

use std::path::{Path, PathBuf};

use clap::Args;

pub use crate::control::schedule::full_name;
use crate::{
    api::UserSync,
    app::Sync,
    control::{
        job::sync_job,
        validate::{Checked, Document, Problem, check, problem::Finding},
    },
    host::local::{
        manifests::{LocalSecrets, base, read},
        state::beside,
    },
};

/// Where manifests and their Secrets come from.
#[derive(Debug, Args)]
pub struct Manifests {
    /// A manifest, a folder of manifests, or `-` for standard input; repeatable
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Secrets as Kubernetes mounts them: DIR/NAME/KEY
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
}

impl Manifests {
    /// The arguments as they were typed.
    pub fn typed(&self) -> Vec<String> {
        self.arguments(Path::to_owned)
    }

    /// The same for somebody who is in another folder.
    pub fn anywhere(&self) -> Vec<String> {
        self.arguments(absolute)
    }

    fn arguments(&self, path: impl Fn(&Path) -> PathBuf) -> Vec<String> {
        let files = self.files.iter().flat_map(|file| ["-f".to_owned(), path(file).display().to_string()]);
        files.chain(option("--secrets", self.secrets.as_deref().map(&path).as_deref())).collect()
    }
}

/// The same path from wherever somebody is; standard input stays what it is.
fn absolute(path: &Path) -> PathBuf {
    if path == Path::new("-") {
        return path.to_owned();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The installation, if nothing else is said.
const INSTANCE: &str = "usersync";

/// Where a command keeps what it must remember.
#[derive(Debug, Args)]
pub struct Place {
    /// Where state is kept [default: .usersync beside the first manifest or folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Tells installations apart that write to one database
    #[arg(long, value_name = "NAME", default_value = INSTANCE)]
    instance: String,
}

impl Place {
    /// The arguments as they were typed; a default is left out.
    pub fn typed(&self) -> Vec<String> {
        self.arguments(self.data.as_deref())
    }

    /// The same for somebody who is in another folder.
    pub fn anywhere(&self) -> Vec<String> {
        self.arguments(self.data.as_deref().map(absolute).as_deref())
    }

    fn arguments(&self, data: Option<&Path>) -> Vec<String> {
        let instance = (self.instance != INSTANCE).then(|| Path::new(&self.instance));
        [option("--data", data), option("--instance", instance)].concat()
    }

    /// The state folder.
    pub fn folder(&self, manifests: &Manifests) -> PathBuf {
        self.data.clone().unwrap_or_else(|| beside(manifests.files.first().map_or(Path::new("-"), PathBuf::as_path)))
    }
}

fn option(name: &str, value: Option<&Path>) -> Vec<String> {
    value.map_or_else(Vec::new, |value| vec![name.to_owned(), value.display().to_string()])
}

/// An SFTP server of which the manifest says everything but its host keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyless {
    /// The sync's name.
    pub sync: String,
    /// Host name or address.
    pub host: String,
    /// 22, unless said otherwise.
    pub port: u16,
}

/// The valid syncs of the manifests. None: there are problems, and they were printed.
pub fn objects(manifests: &Manifests) -> Option<Vec<UserSync>> {
    let checked = checked(manifests).ok()?;
    Some(checked.syncs.into_iter().map(|checked| checked.sync).collect())
}

/// The syncs of the manifests, with their Secrets, ready to run. None: there are problems, and they were printed.
pub fn load(manifests: &Manifests, place: &Place) -> Option<Vec<Sync>> {
    load_or_keyless(manifests, place).ok()
}

/// As [`load`]. With problems, if nothing else is wrong: the servers whose host keys are missing.
pub fn load_or_keyless(manifests: &Manifests, place: &Place) -> Result<Vec<Sync>, Vec<Keyless>> {
    let Checked { syncs: found, secrets, config_maps, .. } = checked(manifests)?;
    let secrets = LocalSecrets { secrets, config_maps, folder: manifests.secrets.clone() };
    let mut syncs = Vec::new();
    let mut problems = Vec::new();
    for found in &found {
        match sync_job(&found.sync, &place.instance, &secrets, &base(&found.document.file)) {
            Ok(job) => syncs.push(Sync { object: found.sync.clone(), job }),
            Err(more) => problems.extend(
                more.into_iter().map(|problem| found.document.problem(Finding::new(problem.field, problem.message))),
            ),
        }
    }
    if none_of(&problems) { Ok(syncs) } else { Err(Vec::new()) }
}

/// Everything that the manifests hold, if nothing of it is wrong and there is a sync among it.
fn checked(manifests: &Manifests) -> Result<Checked, Vec<Keyless>> {
    let documents = match read(&manifests.files, &mut std::io::stdin().lock()) {
        Ok(documents) => documents,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            return Err(Vec::new());
        }
    };
    let checked = check(&documents);
    if !none_of(&checked.problems) {
        let other = checked.problems.iter().any(|problem| problem.field != "spec.source.sftp.hostKeys");
        return Err(if other { Vec::new() } else { documents.iter().filter_map(keyless).collect() });
    }
    if checked.syncs.is_empty() {
        eprintln!("usersync: the manifests have no UserSync");
        return Err(Vec::new());
    }
    Ok(checked)
}

fn keyless(document: &Document) -> Option<Keyless> {
    let server = document.value.pointer("/spec/source/sftp")?;
    let keys = server.get("hostKeys").and_then(|keys| keys.as_array());
    if keys.is_some_and(|keys| !keys.is_empty()) {
        return None;
    }
    Some(Keyless {
        sync: document.value.pointer("/metadata/name")?.as_str()?.to_owned(),
        host: server.get("host")?.as_str()?.to_owned(),
        port: server.get("port").map_or(Some(22), |port| port.as_u64()?.try_into().ok())?,
    })
}

/// Whether there is no problem; prints each.
fn none_of(problems: &[Problem]) -> bool {
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    match problems.len() {
        0 => return true,
        1 => eprintln!("usersync: 1 problem; nothing ran"),
        count => eprintln!("usersync: {count} problems; nothing ran"),
    }
    false
}

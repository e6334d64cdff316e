//! Manifests and Secrets as the command line names them: files, folders, standard input.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    control::{
        job::Secrets,
        validate::{ConfigMap, Document, SecretValues, document::MAX_SIZE, documents},
    },
    model::secret::Secret,
};

/// Files in one folder.
const MAX_FILES: usize = 10_000;
/// Bytes of a Secret's value, as Kubernetes limits it.
const MAX_SECRET: u64 = 1 << 20;

/// Why a manifest could not be read. The message is whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(String);

impl ManifestError {
    fn io(path: &Path, error: &io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file or folder: see the path after -f".to_owned(),
            io::ErrorKind::PermissionDenied => "this user may not read it: change its permissions".to_owned(),
            _ => error.to_string(),
        };
        Self(format!("{}: {why}", path.display()))
    }
}

/// The documents of everything that `-f` names: files, folders (their `*.yaml`, `*.yml` and `*.json` in order of name, no
/// folders within, nothing hidden), `-` for `stdin`. Each file is read once. Fails with every reason there is.
pub fn read(arguments: &[PathBuf], stdin: &mut dyn Read) -> Result<Vec<Document>, Vec<ManifestError>> {
    let mut errors = Vec::new();
    let mut all = Vec::new();
    let mut seen = Vec::new();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            if !seen.contains(argument) {
                seen.push(argument.clone());
                let text = text(Path::new("-"), stdin);
                text.map(|text| all.extend(documents("-", &text))).unwrap_or_else(|error| errors.push(error));
            }
            continue;
        }
        let files = match files(argument) {
            Ok(files) => files,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        for file in files {
            let known = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if seen.contains(&known) {
                continue;
            }
            seen.push(known);
            let text = File::open(&file).map_err(|error| ManifestError::io(&file, &error));
            match text.and_then(|mut open| self::text(&file, &mut open)) {
                Ok(text) => all.extend(documents(&file.to_string_lossy(), &text)),
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// The folder to which relative paths in a document of that file are relative; for standard input the current one.
pub fn base(file: &str) -> PathBuf {
    match Path::new(file).parent() {
        Some(folder) if file != "-" && !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The file itself, or the manifests in the folder.
fn files(argument: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    let error = |error: io::Error| ManifestError::io(argument, &error);
    if !fs::metadata(argument).map_err(error)?.is_dir() {
        return Ok(vec![argument.to_owned()]);
    }
    let files = manifests(argument)?;
    if files.is_empty() {
        let message = format!(
            "{}: no manifest in this folder (*.yaml, *.yml, *.json; folders within are not looked into): name another",
            argument.display()
        );
        return Err(ManifestError(message));
    }
    Ok(files)
}

/// The manifests in the folder, in order of name: there may be none.
fn manifests(folder: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    let error = |error: io::Error| ManifestError::io(folder, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if manifest(&path) && !path.is_dir() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            let message = format!("{}: more than {MAX_FILES} manifests: is it the right folder?", folder.display());
            return Err(ManifestError(message));
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file of a folder is a manifest by its name: `*.yaml`, `*.yml`, `*.json`, not hidden.
pub fn manifest(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}

/// The documents of each manifest in a folder, or why that file can't be read.
pub type Reading = BTreeMap<PathBuf, Result<Vec<Document>, ManifestError>>;

/// Reads a folder whole. One file that can't be read says nothing of the others; one that is gone meanwhile is left out.
pub fn read_folder(folder: &Path) -> Result<Reading, ManifestError> {
    if let Err(missing) = fs::metadata(folder)
        && missing.kind() == io::ErrorKind::NotFound
    {
        let folder = folder.display();
        return Err(ManifestError(format!("{folder}: there is no such folder: name the folder of the manifests")));
    }
    let mut reading = Reading::new();
    for file in manifests(folder)? {
        let open = match File::open(&file) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
            open => open.map_err(|error| ManifestError::io(&file, &error)),
        };
        let text = open.and_then(|mut open| text(&file, &mut open));
        let read = text.map(|text| documents(&file.to_string_lossy(), &text));
        reading.insert(file, read);
    }
    Ok(reading)
}

fn text(file: &Path, from: &mut dyn Read) -> Result<String, ManifestError> {
    let mut bytes = Vec::new();
    let limit = MAX_SIZE as u64 + 1;
    from.take(limit).read_to_end(&mut bytes).map_err(|error| ManifestError::io(file, &error))?;
    if bytes.len() > MAX_SIZE {
        let message = format!("{}: larger than {} MiB: is it a manifest?", file.display(), MAX_SIZE >> 20);
        return Err(ManifestError(message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = bytes.iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let what = if utf16 { "this is UTF-16" } else { "this is not UTF-8" };
        ManifestError(format!("{}:{line}: {what}: save the manifest as UTF-8", file.display()))
    })
}

/// The Secrets and ConfigMaps of documents, and the Secrets of a folder as Kubernetes mounts them: `DIR/NAME/KEY`. The
/// folder wins, and is read anew each time; it has no namespaces.
#[derive(Clone, Debug, Default)]
pub struct LocalSecrets {
    /// Of documents.
    pub secrets: Vec<SecretValues>,
    /// Of documents.
    pub config_maps: Vec<ConfigMap>,
    /// `--secrets`.
    pub folder: Option<PathBuf>,
}

impl LocalSecrets {
    fn mounted(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(plain(name)?))
    }
}

impl Secrets for LocalSecrets {
    fn secret(&self, namespace: &str, name: &str, key: &str) -> Option<Secret> {
        let mounted = self.mounted(name).zip(plain(key)).and_then(|(folder, key)| value(&folder.join(key)));
        mounted.or_else(|| {
            let document = self.secrets.iter().find(|secret| secret.namespace == namespace && secret.name == name)?;
            document.values.get(key).cloned()
        })
    }

    fn secret_exists(&self, namespace: &str, name: &str) -> bool {
        self.mounted(name).is_some_and(|folder| folder.is_dir())
            || self.secrets.iter().any(|secret| secret.namespace == namespace && secret.name == name)
    }

    fn config(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        let map = self.config_maps.iter().find(|map| map.namespace == namespace && map.name == name)?;
        map.values.get(key).cloned()
    }
}

/// The values of a mounted Secret, by key: `FOLDER/NAME/KEY`. None: there is no such folder.
pub(super) fn mounted(folder: &Path, name: &str) -> Option<BTreeMap<String, Secret>> {
    let folder = folder.join(plain(name)?);
    let mut values = BTreeMap::new();
    for entry in fs::read_dir(&folder).ok()? {
        let Ok(entry) = entry else { continue };
        // Hidden ones are how Kubernetes exchanges all keys at once.
        let key = entry.file_name().into_string().ok().filter(|key| !key.starts_with('.'));
        let value = key.as_ref().and_then(|_| value(&entry.path()));
        values.extend(key.zip(value));
    }
    Some(values)
}

fn value(path: &Path) -> Option<Secret> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_SECRET).read_to_string(&mut text).ok()?;
    Some(Secret::new(text))
}

/// A name that leads nowhere else.
fn plain(name: &str) -> Option<&str> {
    (!name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn kinds(arguments: &[PathBuf], stdin: &str) -> Vec<String> {
        let documents = read(arguments, &mut stdin.as_bytes()).unwrap();
        documents.iter().map(|document| document.kind().to_owned()).collect()
    }

    fn errors(arguments: &[PathBuf]) -> String {
        let errors = read(arguments, &mut io::empty()).unwrap_err();
        errors.iter().map(|error| format!("{error}\n")).collect()
    }

    #[test]
    fn files_folders_and_standard_input() {
        let folder = folder(&[
            ("b.yaml", b"kind: B"),
            ("a.yml", b"kind: A\n---\nkind: A2"),
            ("c.json", b"{\"kind\": \"C\"}"),
            (".hidden.yaml", b"kind: Hidden"),
            ("README.md", b"kind: Readme"),
            ("deeper/d.yaml", b"kind: D"),
            (".usersync/status/default/hr.yaml", b"kind: Status"),
        ]);
        let path = folder.path().to_owned();
        assert_eq!(kinds(std::slice::from_ref(&path), ""), ["A", "A2", "B", "C"]);
        assert_eq!(kinds(&[path.join("b.yaml"), path.clone()], ""), ["B", "A", "A2", "C"], "each file once");
        assert_eq!(kinds(&["-".into(), path.join("deeper"), "-".into()], "kind: Piped"), ["Piped", "D"]);
        assert_eq!(kinds(&[path.join("README.md")], ""), ["Readme"], "a file that is named is read");
    }

    #[test]
    fn every_file_that_can_t_be_read_is_said() {
        let folder = folder(&[
            ("latin.yaml", b"kind: A\nname: M\xfcller\n"),
            ("wide.yaml", &[0xff, 0xfe, b'k', 0]),
            ("empty/readme.txt", b""),
        ]);
        let path = folder.path();
        let arguments = ["latin.yaml", "wide.yaml", "empty", "nowhere"].map(|name| path.join(name));
        let expected = format!(
            "{0}/latin.yaml:2: this is not UTF-8: save the manifest as UTF-8\n\
             {0}/wide.yaml:1: this is UTF-16: save the manifest as UTF-8\n\
             {0}/empty: no manifest in this folder (*.yaml, *.yml, *.json; folders within are not looked into): name another\n\
             {0}/nowhere: there is no such file or folder: see the path after -f\n",
            path.display()
        );
        assert_eq!(errors(&arguments), expected);
        fs::write(path.join("large.yaml"), " ".repeat(MAX_SIZE + 1)).unwrap();
        assert!(errors(&[path.join("large.yaml")]).ends_with("larger than 4 MiB: is it a manifest?\n"));
    }

    #[test]
    fn secrets_of_documents_and_of_a_folder() {
        let folder = folder(&[("hr-sftp/username", b"mounted\n"), ("outside", b"secret")]);
        let document = |namespace: &str, value: &str| SecretValues {
            namespace: namespace.to_owned(),
            name: "hr-sftp".to_owned(),
            values: [("username", value), ("password", value)]
                .map(|(key, value)| (key.to_owned(), Secret::new(value)))
                .into(),
        };
        let mut secrets = LocalSecrets {
            secrets: vec![document("people", "a"), document("default", "b")],
            ..LocalSecrets::default()
        };
        let value = |secrets: &LocalSecrets, namespace: &str, name: &str, key: &str| {
            secrets.secret(namespace, name, key).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(value(&secrets, "people", "hr-sftp", "username").as_deref(), Some("a"));
        assert_eq!(value(&secrets, "default", "hr-sftp", "username").as_deref(), Some("b"));
        assert_eq!(value(&secrets, "other", "hr-sftp", "username"), None, "another namespace's");
        assert!(secrets.secret_exists("people", "hr-sftp") && !secrets.secret_exists("other", "hr-sftp"));
        secrets.folder = Some(folder.path().to_owned());
        assert_eq!(value(&secrets, "people", "hr-sftp", "username").as_deref(), Some("mounted\n"));
        assert_eq!(value(&secrets, "people", "hr-sftp", "password").as_deref(), Some("a"), "not in the folder");
        assert!(secrets.secret_exists("other", "hr-sftp"));
        for (name, key) in [("..", "outside"), ("hr-sftp", ".."), ("hr-sftp", "../outside"), ("", "outside")] {
            assert_eq!(value(&secrets, "people", name, key), None, "{name}/{key}");
        }
    }

    #[test]
    fn relative_paths_are_relative_to_the_manifest() {
        for (file, expected) in [("a/b.yaml", "a"), ("b.yaml", "."), ("-", "."), ("/x/b.yaml", "/x")] {
            assert_eq!(base(file), PathBuf::from(expected), "{file}");
        }
    }
}

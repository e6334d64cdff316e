//! Another folder of the same source, for people who look around.

use std::path::{Component, Path};

use crate::model::job::SourceJob;

/// The source at another folder: on a server relative to its own or absolute, in a directory below it. None: that is its
/// own folder. The error is for the person who asked for it.
pub fn elsewhere(job: &SourceJob, folder: &str) -> Result<Option<SourceJob>, String> {
    Ok(match job {
        SourceJob::Sftp(server) => on_server(&server.path, folder)?.map(|path| {
            let mut server = server.clone();
            server.path = path;
            SourceJob::Sftp(server)
        }),
        SourceJob::Ftp(server) => on_server(&server.path, folder)?.map(|path| {
            let mut server = server.clone();
            server.path = path;
            SourceJob::Ftp(server)
        }),
        SourceJob::Directory { path, beneath } => {
            let below = Path::new(folder);
            let below = if below.is_absolute() { below.strip_prefix(path).ok() } else { Some(below) };
            let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            let Some(below) = below.filter(|below| below.components().all(plain)) else {
                return Err(format!(
                    "{folder:?} is not below {}: of a directory only folders below it are shown",
                    path.display()
                ));
            };
            if below.components().all(|part| part == Component::CurDir) {
                return Ok(None);
            }
            // No link below it may lead out of it; it may be one itself.
            let root = path.canonicalize().unwrap_or_else(|_| path.clone());
            let path = root.join(below);
            Some(SourceJob::Directory { path, beneath: Some(beneath.clone().unwrap_or(root)) })
        }
    })
}

/// The path of the folder, if it is not the same as `own`.
fn on_server(own: &str, folder: &str) -> Result<Option<String>, String> {
    if folder.contains(char::is_control) {
        return Err(format!("{folder:?} is no folder: it has control characters in it"));
    }
    let joined = if folder.starts_with('/') || own.is_empty() { folder.to_owned() } else { format!("{own}/{folder}") };
    let parts = |path: &str| {
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        (path.starts_with('/'), parts.map(str::to_owned).collect::<Vec<_>>())
    };
    let (absolute, plain) = parts(&joined);
    if (absolute, &plain) == (parts(own).0, &parts(own).1) {
        return Ok(None);
    }
    Ok(Some(format!("{}{}", if absolute { "/" } else { "" }, plain.join("/"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_on_a_server_are_relative_or_absolute() {
        let cases = [
            ("/outbox", "bak", Ok(Some("/outbox/bak"))),
            ("/outbox", "/bak", Ok(Some("/bak"))),
            ("/outbox", "/", Ok(Some("/"))),
            ("/outbox", "..", Ok(Some("/outbox/.."))),
            ("/outbox/", "bak/", Ok(Some("/outbox/bak"))),
            ("outbox", "bak/2026", Ok(Some("outbox/bak/2026"))),
            ("", "bak", Ok(Some("bak"))),
            ("/outbox", "", Ok(None)),
            ("/outbox", ".", Ok(None)),
            ("/outbox", "/outbox/", Ok(None)),
            ("outbox", "./", Ok(None)),
            ("", ".", Ok(None)),
            ("", "/", Ok(Some("/"))),
            ("/", "/", Ok(None)),
        ];
        for (own, folder, expected) in cases {
            assert_eq!(on_server(own, folder), expected.map(|path| path.map(str::to_owned)), "{own} {folder}");
        }
        assert!(on_server("/outbox", "a\r\nDELE b").is_err());
    }

    #[test]
    fn folders_of_a_directory_are_below_it() {
        let temp = tempfile::tempdir().unwrap();
        let own = temp.path().canonicalize().unwrap();
        let job = SourceJob::Directory { path: own.clone(), beneath: None };
        let path = |folder: &str| match elsewhere(&job, folder) {
            Ok(Some(SourceJob::Directory { path, beneath })) => {
                assert_eq!(beneath.as_deref(), Some(own.as_path()));
                Ok(Some(path))
            }
            Ok(other) => Ok(other.map(|_| own.clone())),
            Err(why) => Err(why),
        };
        assert_eq!(path("bak"), Ok(Some(own.join("bak"))));
        assert_eq!(path(own.join("bak").to_str().unwrap()), Ok(Some(own.join("bak"))));
        assert_eq!(path("."), Ok(None));
        assert_eq!(path(own.to_str().unwrap()), Ok(None));
        for outside in ["..", "bak/../..", "/etc"] {
            assert!(path(outside).is_err_and(|why| why.contains("is not below")), "{outside}");
        }
    }
}

//! Which folders and files of this machine a sync may name.

use std::path::{Component, Path, PathBuf};

use crate::model::job::Bounds;

/// The field of a directory source.
pub const DIRECTORY: &str = "spec.source.directory.path";

/// A folder or file of this machine that a sync names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its absolute path.
    pub path: PathBuf,
    /// The folder below which it must lie.
    pub beneath: Option<PathBuf>,
}

/// The place that a path of this namespace means; else what to do. Only the path is judged: that no link leads out of the
/// bounds is seen to when it is opened.
pub fn place(bounds: &Bounds, namespace: &str, path: &str) -> Result<Place, String> {
    let root = match bounds {
        Bounds::Anywhere(base) => return Ok(Place { path: absolute(base, path), beneath: None }),
        Bounds::Nowhere => {
            return Err(
                "folders and SQLite files of the operator's machine can't be used here: nobody has said which ones. \
                        Start the operator with --directory-root DIR; a sync may then use DIR/NAMESPACE"
                    .to_owned(),
            );
        }
        Bounds::Below(root) => root.join(one_folder(namespace)?),
    };
    let allowed = || format!("it must lie below {}, the folder of this namespace", root.display());
    if path.contains('\0') {
        return Err(format!("the path has a NUL character in it; {}", allowed()));
    }
    let full = root.join(path);
    let within = full.strip_prefix(&root).map_err(|_| format!("{path} lies elsewhere: {}", allowed()))?;
    if within.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(format!("{path} has “..” in it: {}; write the path without", allowed()));
    }
    let path = if within == Path::new("") { root.clone() } else { root.join(within) };
    Ok(Place { path, beneath: Some(root) })
}

/// The same for an SQLite file. SQLite opens its journals by path whenever it needs them: within bounds, a file lies where
/// only an administrator could put a link on the way.
pub fn file_place(bounds: &Bounds, namespace: &str, path: &str) -> Result<Place, String> {
    let place = place(bounds, namespace, path)?;
    match &place.beneath {
        Some(root) if place.path.parent() != Some(root) => Err(format!(
            "an SQLite file must lie directly in {}, the folder of this namespace, not in a folder below it",
            root.display()
        )),
        _ => Ok(place),
    }
}

/// A namespace as a folder's name: it is a Kubernetes name, and nothing else.
fn one_folder(namespace: &str) -> Result<&str, String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if namespace.is_empty() || namespace.len() > 63 || !namespace.chars().all(fine) {
        return Err(format!("namespace {namespace:?} can't be a folder's name: it is no Kubernetes name"));
    }
    Ok(namespace)
}

/// The path, relative to `base`.
fn absolute(base: &Path, path: &str) -> PathBuf {
    let path = base.join(path);
    std::path::absolute(&path).unwrap_or(path)
}

/// Undoes percent encoding. None: what comes out is not UTF-8.
pub fn decoded(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

//! Documents against each other: the same resource twice, two syncs that would take the same files.

use std::collections::HashMap;

use globset::Glob;

use super::{
    CheckedSync,
    document::Document,
    problem::{Finding, Problem},
};
use crate::api::usersync::source::SourceSpec;

/// Resources that are given more than once.
pub(super) fn duplicates<'a>(documents: impl Iterator<Item = &'a Document>) -> Vec<Problem> {
    let mut seen: HashMap<(&str, &str, &str), &Document> = HashMap::new();
    let mut problems = Vec::new();
    for document in documents.filter(|document| !document.name().is_empty()) {
        let id = (document.kind(), document.namespace(), document.name());
        match seen.get(&id) {
            None => {
                seen.insert(id, document);
            }
            Some(first) => {
                let at = first.positions.key("");
                let message = format!(
                    "the {} `{}` of namespace `{}` is there already, in {}:{}: rename or remove one of the two",
                    document.kind(),
                    document.name(),
                    document.namespace(),
                    first.file,
                    at.line
                );
                problems.push(document.problem(Finding::new("metadata.name", message)));
            }
        }
    }
    problems
}

/// Syncs that would take files from under each other.
pub(super) fn same_files(syncs: &[CheckedSync]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, later) in syncs.iter().enumerate() {
        for earlier in syncs.iter().take(index) {
            let spec = (&earlier.sync.spec, &later.sync.spec);
            let (Some(a), Some(b)) = (spec.0.files(), spec.1.files()) else { continue };
            if place(earlier) != place(later) || place(later).is_none() || !overlap(a, b) {
                continue;
            }
            let at = earlier.document.positions.key("spec.source");
            let message = format!(
                "takes files (`{b}`) that `{}` ({}:{}) takes as well (`{a}`), from the same folder: each file can go to one sync \
                 only; give them other folders, or other names in files",
                earlier.document.name(),
                earlier.document.file,
                at.line
            );
            problems.push(later.document.problem(Finding::at_key("spec.source.files", message)));
        }
    }
    problems
}

/// Which folder it is; two logins on one server may see different folders under one name.
fn place(sync: &CheckedSync) -> Option<String> {
    let source: &SourceSpec = &sync.sync.spec.source;
    let namespace = sync.document.namespace();
    let path = source.path.as_deref().unwrap_or(".").trim_end_matches('/');
    if let Some(server) = &source.sftp {
        let host = server.host.to_lowercase();
        return Some(format!("sftp://{namespace}/{}@{host}:{}/{path}", server.credentials.name, server.port));
    }
    if let Some(server) = &source.ftp {
        let host = server.host.to_lowercase();
        let login = server.credentials.as_ref().map_or("", |secret| &secret.name);
        return Some(format!("ftp://{namespace}/{login}@{host}:{:?}/{path}", server.port));
    }
    let directory = source.directory.as_ref()?;
    let path = directory.path.trim_start_matches("./").trim_end_matches('/');
    // A relative folder is relative to its manifest's.
    let base =
        if path.starts_with('/') { "" } else { sync.document.file.rsplit_once('/').map_or("", |(folder, _)| folder) };
    Some(format!("directory:{base}/{path}"))
}

/// Whether one glob matches all that the other does, as far as that can be seen: with its text taken for a name.
fn overlap(a: &str, b: &str) -> bool {
    let matches = |glob: &str, name: &str| Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(name));
    a == b || matches(a, b) || matches(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_that_match_the_same_names() {
        for (a, b, expected) in [
            ("*.csv", "*.csv", true),
            ("*.csv", "users.csv", true),
            ("users.csv", "*.csv", true),
            ("*.csv", "userdata_*.csv", true),
            ("staff_*.csv", "userdata_*.csv", false),
            ("a.csv", "b.csv", false),
            ("*.csv", "*.txt", false),
            ("[", "*.csv", false),
        ] {
            assert_eq!(overlap(a, b), expected, "{a} {b}");
        }
    }
}

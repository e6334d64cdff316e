//! Names: of reports and their files, and of folders that hold them. Whatever could lead elsewhere is refused.

use std::{fs, io, path::Path};

use crate::{
    model::{job::SyncId, report::Reports},
    ports::ReportError,
};

/// The file that says that a report is whole: it comes last, and goes first.
pub(super) const WHOLE: &str = "report.json";

/// Names of namespaces, syncs and runs are Kubernetes names: whatever else could lead out of the root is refused.
pub(super) fn folders(sync: &SyncId, run: &str) -> Result<(), ReportError> {
    [&sync.namespace, &sync.name, run].into_iter().try_for_each(one_folder)
}

fn one_folder(name: &str) -> Result<(), ReportError> {
    if is_folder(name) {
        return Ok(());
    }
    Err(ReportError(format!("{name:?} can't be a folder of reports: it is no Kubernetes name")))
}

/// Whether a namespace, a sync or a run may have this name.
pub(super) fn is_folder(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !name.is_empty() && name.len() <= 253 && !name.starts_with('.') && name.chars().all(fine)
}

/// A name within a run's folder: no path.
pub(super) fn plain_file(name: &str) -> Result<&str, ReportError> {
    if name.is_empty() || [".", ".."].contains(&name) || name.contains(['/', '\0']) {
        return Err(ReportError(format!("{name:?} is no name of a report")));
    }
    Ok(name)
}

/// The names in the staging folder, sorted; anything but regular files is an error.
pub(super) fn staged_names(staged: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(staged)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("the name {} is no UTF-8", name.display()))
        })?;
        if !entry.file_type()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no regular file")));
        }
        names.push(name);
    }
    names.sort();
    Ok(names)
}

/// Whether a report has files of this name: nothing else is ever removed.
pub(super) fn is_report(name: &str) -> bool {
    let known =
        [WHOLE, "report.html", "changes.csv.gz", "records.jsonl.gz", "summary.eml", "failed-import.eml", "alert.eml"];
    known.contains(&name) || name.ends_with("_rejects.csv")
}

/// Where files of these names are, each at `place(name)`.
pub(super) fn located<'a>(names: impl IntoIterator<Item = &'a String>, place: impl Fn(&str) -> String) -> Reports {
    let mut reports = Reports::default();
    for name in names {
        let place = || Some(place(name));
        match name.as_str() {
            WHOLE => reports.report = place(),
            "report.html" => reports.html = place(),
            "changes.csv.gz" => reports.changes = place(),
            "records.jsonl.gz" => reports.records = place(),
            name if name.ends_with("_rejects.csv") => reports.rejects = place(),
            _ => {}
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_reports_is_theirs() {
        for name in
            ["report.json", "report.html", "changes.csv.gz", "records.jsonl.gz", "Größe_rejects.csv", "summary.eml"]
        {
            assert!(is_report(name), "{name}");
        }
        for name in
            ["", "users.csv", "report.json.bak", "report.txt", "rejects.csv", "mail.eml", "changes.csv", ".report.json"]
        {
            assert!(!is_report(name), "{name}");
        }
    }
}

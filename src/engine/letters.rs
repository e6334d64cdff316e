//! Letters: the mails of a run, written with its report and kept with it, so that whoever sends them sends the same. A run without
//! a report has its status.

use std::{fs, io, io::Write, path::Path};

use super::spool;
use crate::{
    api::{DeliveryKind, UserSyncRun},
    control::deliveries::{about as about_run, reported},
    model::{
        approving::Approving,
        job::{Job, SyncId},
        letter::{Letter, LetterKind},
        post::Heading,
        report::{RunReport, Sample},
    },
    ports::{Notifier, Ports},
    sync::render::{
        letter::{About, letters},
        report::report_json,
    },
};

/// The file of a letter in the report folder: a whole mail, without the recipients that nobody sees.
pub(super) const fn file_of(kind: LetterKind) -> &'static str {
    match kind {
        LetterKind::Summary => "summary.eml",
        LetterKind::FailedImport => "failed-import.eml",
        LetterKind::Alert => "alert.eml",
    }
}

/// Writes the letters of a run that ends like this beside its report. What can't be written for a reason of its own is a
/// warning: no import fails for it.
pub(super) fn stage(
    job: &Job,
    ports: &Ports,
    folder: &Path,
    report: &RunReport,
    sample: &Sample,
    warnings: &mut Vec<String>,
) -> io::Result<()> {
    clear(folder)?;
    let Some(about) = about(job, folder)? else { return Ok(()) };
    let heading = Heading { sync: job.sync.sync.clone(), id: job.run.clone(), date: report.completion_time };
    for letter in letters(report, sample, &about) {
        match ports.notifier.compose(&letter, &heading, folder) {
            Ok(mail) => write(folder, &letter, &mail)?,
            Err(why) => warnings.push(format!("the mail “{}” could not be written: {why}", letter.subject)),
        }
    }
    Ok(())
}

/// What is sent of a run that has no report, by what its status says: the mail of that kind, or the body of the POST. The same run
/// always gives the same bytes. Fails with the reason in words.
pub(super) fn of_status(
    sync: &SyncId,
    run: &UserSyncRun,
    kind: DeliveryKind,
    approving: &Approving,
    notifier: &dyn Notifier,
) -> Result<Vec<u8>, String> {
    let report = reported(run).ok_or("the run has not ended")?;
    let kind = match kind {
        DeliveryKind::Webhook => {
            let mut body = Vec::new();
            return report_json(&mut body, &report).map(|()| body).map_err(|error| error.to_string());
        }
        DeliveryKind::Summary => LetterKind::Summary,
        DeliveryKind::FailedImport => LetterKind::FailedImport,
        DeliveryKind::Alert => LetterKind::Alert,
    };
    let about = about_run(run, &sync.instance, approving.clone()).ok_or("the run tells nobody by mail")?;
    let letter = letters(&report, &Sample::default(), &about).into_iter().find(|letter| letter.kind == kind);
    let letter = letter.ok_or("the run tells nobody so by mail")?;
    let heading = Heading { sync: sync.clone(), id: report.run.clone(), date: report.completion_time };
    notifier.compose(&letter, &heading, Path::new(""))
}

fn write(folder: &Path, letter: &Letter, mail: &[u8]) -> io::Result<()> {
    let mut file = spool::create(&folder.join(file_of(letter.kind)))?;
    file.write_all(mail)?;
    file.sync_all()
}

/// What the letters must know. None: nobody gets mail.
fn about(job: &Job, folder: &Path) -> io::Result<Option<About>> {
    let Some(mail) = &job.sync.notice.mail else { return Ok(None) };
    let mut staged = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        staged.extend(entry.file_name().into_string().ok().zip(entry.metadata().ok().map(|metadata| metadata.len())));
    }
    staged.sort();
    Ok(Some(About {
        sync: job.sync.sync.clone(),
        when: mail.when,
        to_anyone: mail.to_anyone,
        failed_import_to_anyone: !mail.failed_import_to.is_empty(),
        simulations: mail.simulations,
        requested: job.requested,
        next: job.next,
        zone: job.sync.notice.zone.clone(),
        files: job.sync.take.files.clone(),
        approving: job.approving.clone(),
        staged,
    }))
}

/// Removes what an earlier try wrote: this one may have nothing to say.
fn clear(folder: &Path) -> io::Result<()> {
    for kind in [LetterKind::Summary, LetterKind::FailedImport] {
        match fs::remove_file(folder.join(file_of(kind))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

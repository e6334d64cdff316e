//! From a `UserSync` and its Secrets to a job that can't be wrong in itself.

mod bounds;
#[cfg(test)]
mod bounds_tests;
mod checks;
mod digest;
mod notice;
mod places;
mod references;
mod secrets;
mod source;
mod target;
#[cfg(test)]
mod tests;
mod unavailable;

use std::{fmt, path::Path};

use jiff::tz::TimeZone;

pub use self::{
    checks::problems,
    digest::{references_digest, spec_digest},
    notice::{mailbox, shown_in},
    places::out_of_bounds,
    references::{Reference, references},
    secrets::Secrets,
    unavailable::unavailable,
};
use crate::{
    api::{
        Algorithms, FtpTls, UserSync, UserSyncSpec,
        limit::Limit as LimitSpec,
        usersync::{
            csv::{CsvSpec, Delimiter},
            mapping::{MappingSpec, PropertySpec, UserIdSpec},
            target::{RemovalPolicy, RemovalSpec, SafeguardsSpec},
        },
    },
    model::{
        job::{Bounds, CsvOptions, From, Limit, Mapping, Property, Removal, Safeguards, SyncId, SyncJob},
        notice::NoticeJob,
    },
};

/// The namespace of a resource that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// One reason why a `UserSync` can't be run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobProblem {
    /// The field's path: `spec.mapping.properties[2].column`.
    pub field: String,
    /// What is wrong and how to mend it; no secret.
    pub message: String,
}

impl JobProblem {
    /// A problem of that field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for JobProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for JobProblem {}

/// The job of a `UserSync` that passed its schema and CEL rules. `base` is the folder to which relative paths are
/// relative: that of the manifest. Fails with every problem there is: those of [`problems`], and missing Secrets, keys
/// and values that are unfit.
pub fn sync_job(
    sync: &UserSync,
    instance: &str,
    secrets: &dyn Secrets,
    base: &Path,
) -> Result<SyncJob, Vec<JobProblem>> {
    bounded_job(sync, instance, secrets, &Bounds::Anywhere(base.to_owned()))
}

/// The same, with folders and SQLite files within `bounds`.
pub fn bounded_job(
    sync: &UserSync,
    instance: &str,
    secrets: &dyn Secrets,
    bounds: &Bounds,
) -> Result<SyncJob, Vec<JobProblem>> {
    let spec = &sync.spec;
    let mut found = problems(spec);
    let namespace = sync.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let name = sync.metadata.name.clone().unwrap_or_default();
    if name.is_empty() {
        found.push(JobProblem::new("metadata.name", "give the resource a name"));
    }
    let reader = secrets::Reader { secrets, namespace };
    let source = keep(source::source(&spec.source, &reader, bounds), &mut found);
    let take = keep(source::take(spec), &mut found);
    let csv = keep(csv(&spec.source.csv).map_err(one), &mut found);
    let mapping = keep(mapping(&spec.mapping), &mut found);
    let target = keep(target::target(spec.target.as_ref(), &reader, bounds), &mut found);
    let notice = keep(notice::notice(spec, &reader), &mut found);
    let (Some(source), Some(take), Some(csv), Some(mapping), Some((target, mut warnings)), Some((notice, more)), true) =
        (source, take, csv, mapping, target, notice, found.is_empty())
    else {
        // Several steps may name the same problem.
        let mut once: Vec<JobProblem> = Vec::new();
        found.into_iter().for_each(|problem| {
            if !once.contains(&problem) {
                once.push(problem);
            }
        });
        return Err(once);
    };
    warnings.extend(self::warnings(spec));
    warnings.extend(more);
    Ok(SyncJob {
        sync: SyncId { instance: instance.to_owned(), namespace: namespace.to_owned(), name },
        source,
        take,
        csv,
        mapping,
        conflict: spec.conflict_mode,
        action: spec.action,
        removal: removal(&spec.removal),
        safeguards: safeguards(&spec.safeguards),
        target,
        notice,
        spec_digest: digest::spec_digest(spec),
        warnings,
    })
}

/// Who is told of a sync's runs, apart from the rest of its job.
pub fn notice_job(spec: &UserSyncSpec, namespace: &str, secrets: &dyn Secrets) -> Result<NoticeJob, Vec<JobProblem>> {
    notice::notice(spec, &secrets::Reader { secrets, namespace }).map(|(notice, _)| notice)
}

/// How the file of this sync is read: needs no Secret.
pub fn reading(spec: &UserSyncSpec) -> Result<(CsvOptions, Mapping), Vec<JobProblem>> {
    Ok((csv(&spec.source.csv).map_err(one)?, mapping(&spec.mapping)?))
}

fn one(problem: JobProblem) -> Vec<JobProblem> {
    vec![problem]
}

/// The part, or its problems noted.
fn keep<T>(part: Result<T, Vec<JobProblem>>, found: &mut Vec<JobProblem>) -> Option<T> {
    part.map_err(|problems| found.extend(problems)).ok()
}

fn csv(spec: &CsvSpec) -> Result<CsvOptions, JobProblem> {
    checks::encoding(&spec.encoding)?;
    let delimiter = match spec.delimiter {
        Delimiter::Auto => None,
        Delimiter::Byte(byte) => Some(byte),
    };
    Ok(CsvOptions { delimiter, encoding: spec.encoding.clone(), trim: spec.trim })
}

fn mapping(spec: &MappingSpec) -> Result<Mapping, Vec<JobProblem>> {
    Ok(Mapping {
        // `problems` has said already why there is none.
        user_id: user_id(&spec.user_id).ok_or_else(Vec::new)?,
        properties: spec.properties.iter().map(property).collect(),
        filter: spec.filter.clone(),
        time_zone: time_zone("spec.mapping.timeZone", &spec.time_zone).map_err(one)?,
    })
}

fn user_id(spec: &UserIdSpec) -> Option<Property> {
    let property = spec.property()?.to_owned();
    Some(Property {
        property,
        from: From::Column(spec.columns()),
        required: true,
        default: None,
        kind: None,
        format: None,
        policy: Default::default(),
        empty: None,
        sensitive: false,
    })
}

fn property(spec: &PropertySpec) -> Property {
    let from = match (&spec.expression, &spec.column) {
        (Some(expression), _) => From::Expression(expression.clone()),
        (None, Some(column)) => From::Column(column.names().to_vec()),
        (None, None) => From::Column(vec![spec.property.clone()]),
    };
    Property {
        property: spec.property.clone(),
        from,
        required: spec.required,
        default: spec.default.clone(),
        kind: spec.kind,
        format: spec.format.clone(),
        policy: spec.policy,
        empty: spec.empty,
        sensitive: spec.sensitive,
    }
}

/// The time zone of that IANA name.
fn time_zone(field: &str, name: &str) -> Result<TimeZone, JobProblem> {
    TimeZone::get(name).map_err(|_| {
        JobProblem::new(field, format!("“{name}” is not a time zone; write an IANA name like Europe/Paris or Etc/UTC"))
    })
}

fn removal(spec: &RemovalSpec) -> Removal {
    match spec.policy {
        RemovalPolicy::Delete => Removal::Delete,
        RemovalPolicy::Deactivate => Removal::Deactivate {
            set: spec.set.clone(),
            restore: spec.restore.clone(),
            grace: spec.grace_period.map(|grace| grace.get()),
        },
    }
}

fn safeguards(spec: &SafeguardsSpec) -> Safeguards {
    let limit = |limit: LimitSpec| match limit {
        LimitSpec::Count(count) => Limit::Count(count),
        LimitSpec::Percent(share) => Limit::Percent(share),
    };
    Safeguards {
        max_removals: limit(spec.max_removals),
        max_emptied: limit(spec.max_emptied),
        max_rejected: limit(spec.max_rejected),
        max_updated: spec.max_updated.map(limit),
        min_rows: spec.min_rows,
    }
}

/// What the manifest weakens, in plain words.
fn warnings(spec: &UserSyncSpec) -> Vec<String> {
    let guards = [
        ("maxRemovals", spec.safeguards.max_removals, "any number of users may be removed"),
        ("maxEmptied", spec.safeguards.max_emptied, "any number of users may lose a value"),
        ("maxRejected", spec.safeguards.max_rejected, "any number of rows may be rejected"),
    ];
    let mut warnings: Vec<String> = guards
        .into_iter()
        .filter(|(_, limit, _)| *limit == LimitSpec::Percent(100.0))
        .map(|(name, _, effect)| format!("safeguards.{name} is switched off (\"100%\"): {effect} without being held"))
        .collect();
    if spec.safeguards.min_rows == 0 {
        warnings.push("safeguards.minRows is 0: a file without rows is not held".to_owned());
    }
    if let Some(ftp) = &spec.source.ftp {
        if ftp.tls == FtpTls::None {
            warnings.push(
                "source.ftp.tls is None: the password and everybody's data cross the network in the clear".to_owned(),
            );
        }
        if ftp.anonymous {
            warnings.push("source.ftp.anonymous: whoever reaches the server can read and replace the files".to_owned());
        }
    }
    if spec.source.sftp.as_ref().is_some_and(|sftp| sftp.algorithms == Algorithms::Legacy) {
        warnings.push(
            "source.sftp.algorithms is Legacy: the connection may be protected by algorithms that are broken"
                .to_owned(),
        );
    }
    if spec.action == crate::api::Action::Delete && !spec.mapping.properties.is_empty() {
        warnings.push("action: Delete writes no property: mapping.properties is only checked".to_owned());
    }
    warnings
}

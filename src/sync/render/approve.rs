//! What a person types to approve a held run.

use super::{summary::quoted, text::visible};
use crate::{
    api::APPROVE,
    model::{approving::Approving, report::RunReport},
};

/// Commands that approve a run, each by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// The usual one.
    pub usual: String,
    /// One that does without UserSync's own program.
    pub other: Option<String>,
}

/// What approves the held run of this report.
pub fn commands(report: &RunReport, approving: &Approving) -> Commands {
    let run = visible(&report.run);
    // `NAMESPACE/NAME`, or the name alone in namespace `default`.
    let namespace = report.sync.split_once('/').map_or("default", |(namespace, _)| namespace);
    let sha256 = report.file.as_ref().and_then(|file| file.sha256.as_deref());
    match approving {
        Approving::Cluster => {
            let namespace = quoted(namespace);
            Commands {
                usual: format!("kubectl usersync approve {run} --namespace {namespace}"),
                other: sha256.map(|sha256| {
                    format!("kubectl annotate usersyncrun {run} --namespace {namespace} {APPROVE}={}", visible(sha256))
                }),
            }
        }
        Approving::Local(arguments) => {
            let own = if namespace == "default" { String::new() } else { format!(" -n {}", quoted(namespace)) };
            Commands { usual: format!("usersync approve {run}{}{own}", typed(arguments)), other: None }
        }
        Approving::Run(arguments) => Commands {
            usual: format!("usersync run{} --approve {}", typed(arguments), visible(sha256.unwrap_or("SHA256"))),
            other: None,
        },
    }
}

fn typed(arguments: &[String]) -> String {
    arguments.iter().map(|argument| format!(" {}", quoted(argument))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{FileReport, Mode},
        model::{
            reason::Reason,
            report::{Reports, Timings},
        },
    };

    fn held(sync: &str) -> RunReport {
        RunReport {
            sync: sync.into(),
            run: "hr-5f2c".into(),
            mode: Mode::Import,
            reason: Reason::Held,
            message: String::new(),
            file: Some(FileReport {
                name: "a.csv".into(),
                size: 1,
                sha256: Some("ab12".into()),
                rows: None,
                correction: false,
            }),
            counts: Default::default(),
            guard: Default::default(),
            start_time: Default::default(),
            completion_time: Default::default(),
            timings: Timings::default(),
            warnings: Vec::new(),
            looked: None,
            reports: Reports::default(),
        }
    }

    #[test]
    fn what_is_typed_fits_the_place() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let cases = [
            ("hr", Approving::Cluster, "kubectl usersync approve hr-5f2c --namespace default"),
            ("people/hr", Approving::Cluster, "kubectl usersync approve hr-5f2c --namespace people"),
            (
                "hr",
                Approving::Local(words(&["--local", "/srv/our people"])),
                "usersync approve hr-5f2c --local '/srv/our people'",
            ),
            (
                "people/hr",
                Approving::Local(words(&["--local", "/srv", "--data", "/var"])),
                "usersync approve hr-5f2c --local /srv --data /var -n people",
            ),
            (
                "people/hr",
                Approving::Run(words(&["-f", "/srv/hr.yaml"])),
                "usersync run -f /srv/hr.yaml --approve ab12",
            ),
        ];
        for (sync, approving, typed) in cases {
            assert_eq!(commands(&held(sync), &approving).usual, typed);
        }
        let other = commands(&held("people/hr"), &Approving::Cluster).other.unwrap();
        assert_eq!(other, "kubectl annotate usersyncrun hr-5f2c --namespace people usersync.dev/approve=ab12");
    }
}

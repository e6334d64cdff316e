//! Bugs that were planted: the checker must find each.

use jiff::Timestamp;
use usersync::{
    control::{
        cause::{ended, named, run_digest},
        decide::decide,
    },
    model::view::{Decision, Memory, Order, View},
};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    Nothing,
    /// A run whose object is there already, and has ended, is carried out again.
    RunsAgain,
    /// What a watch shows is taken for the truth.
    TrustsCaches,
    /// The digests of tokens are not kept.
    ForgetsTokens,
    /// The status is written whatever was written meanwhile.
    WritesBlindly,
    /// A restart begins with what the schedule says, whatever the spec says of a suspension.
    IgnoresSuspend,
    /// An ended run is not made part of the status.
    NeverFolds,
    /// How a run ended is noted by an attempt that another one has overtaken.
    SpeaksForOthers,
    /// A run is committed without a question whether another attempt has overtaken this one.
    CommitsUnasked,
    /// Who was told of a run is not noted.
    TellsAgain,
}

impl Planted {
    /// What a program with this bug would do instead.
    pub fn decide(self, decision: Decision, view: &View, memory: &Memory, now: Timestamp) -> Decision {
        let Ok(sync) = &view.sync else { return decision };
        let said = sync.status.clone().unwrap_or_default();
        match (self, decision) {
            (Self::RunsAgain, Decision::Note(status)) if said.active_run.is_some() && status.active_run.is_none() => {
                match named(&view.runs, said.active_run.as_deref().unwrap()).filter(|_| memory.at_work.is_none()) {
                    Some(run) => Decision::Execute(Box::new(Order {
                        run: run.clone(),
                        approval: None,
                        tried: None,
                        settled: None,
                        until: None,
                    })),
                    None => Decision::Note(status),
                }
            }
            (Self::ForgetsTokens, Decision::Note(mut status)) => {
                status.handled_tokens.clear();
                if said == *status { decide(view, memory, now) } else { Decision::Note(status) }
            }
            (Self::IgnoresSuspend, _) if sync.spec.suspend => {
                let mut view = view.clone();
                if let Ok(sync) = &mut view.sync {
                    sync.spec.suspend = false;
                }
                decide(&view, memory, now)
            }
            (Self::NeverFolds, Decision::Note(mut status))
                if said.active_run.is_some() && status.active_run.is_none() =>
            {
                status.active_run = said.active_run.clone();
                status.active_run_digest = named(&view.runs, said.active_run.as_deref().unwrap()).map(run_digest);
                if said == *status { Decision::Wait(None) } else { Decision::Note(status) }
            }
            (Self::SpeaksForOthers, Decision::Leave(name)) => match (named(&view.runs, &name), &memory.ended) {
                (Some(run), Some(attempted)) if ended(run).is_none() => {
                    Decision::End(Box::new(run.clone()), Box::new(attempted.status.clone()))
                }
                _ => Decision::Leave(name),
            },
            (Self::TellsAgain, Decision::Tell(..)) => decide(view, &Memory { posted: None, ..memory.clone() }, now),
            (_, decision) => decision,
        }
    }

    /// Whether an effect may follow from what a watch shows.
    pub fn trusts_caches(self) -> bool {
        self == Self::TrustsCaches
    }

    /// Whether a commit asks nobody.
    pub fn commits_unasked(self) -> bool {
        self == Self::CommitsUnasked
    }

    /// Whether the status is written without the resource version that was read.
    pub fn writes_blindly(self) -> bool {
        self == Self::WritesBlindly
    }
}

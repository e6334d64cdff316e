//! A world in which every effect is carried out at once: an API server that is always right, and runs that end as they are
//! told to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{APPROVE, DeliveryState, FileReport, GuardReport, Trigger, UserSync, UserSyncRun, UserSyncStatus},
    control::{
        cause::{ended, run_name},
        decide::{decide, finished, posted, probed, sight},
        deliveries::{alert_name, alert_open, alert_standing, standing},
        told::{failed, leaves},
    },
    model::{
        file::Stamp,
        job::Approval,
        post::{Posted, Tidings},
        reason::{Reason, Verdict},
        sync::{Candidate, Cause, Failure, Fitness, Found, Tried, Unfinished},
        view::{Attempted, Decision, Looked, Memory, View},
    },
};

pub struct World {
    pub sync: UserSync,
    pub all: Vec<UserSyncRun>,
    pub memory: Memory,
    pub now: Timestamp,
    pub target_required: bool,
    pub bounds: Option<crate::model::job::Bounds>,
    /// What a look finds.
    pub folder: Result<Option<Candidate>, Failure>,
    /// What a probe finds.
    pub source: Result<(), Failure>,
    pub references: String,
    /// How runs end, and whether they do.
    pub run_reason: Reason,
    pub runs_end: bool,
    /// What runs leave to do, and what is left after it was tried again.
    pub left: Result<Option<Unfinished>, Failure>,
    /// Probes that logged in.
    pub logins: u32,
    /// What each run that was carried out was given.
    pub approvals: Vec<Option<Approval>>,
    /// What becomes of a mail to this address; without an entry it is sent.
    pub post: BTreeMap<String, Posted>,
    /// What was tried to be sent: run and address.
    pub mails: Vec<(String, String)>,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl World {
    /// A sync with these further fields of its spec, made then.
    pub fn new(more: &str, created: &str) -> Self {
        let source = if more.contains("source:") { "" } else { "source: {directory: {path: in}}" };
        let text = format!(
            "apiVersion: usersync.dev/v1alpha1\nkind: UserSync\nmetadata: {{name: hr, namespace: people, uid: u-1, generation: 1, \
             creationTimestamp: '{created}'}}\nspec:\n  mapping: {{userId: {{column: id}}}}\n  {source}\n  {more}\n"
        );
        Self {
            sync: serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
            all: Vec::new(),
            memory: Memory::default(),
            now: at(created),
            target_required: false,
            bounds: None,
            folder: Ok(None),
            source: Ok(()),
            references: "a".into(),
            run_reason: Reason::Completed,
            runs_end: true,
            left: Ok(None),
            logins: 0,
            approvals: Vec::new(),
            post: BTreeMap::new(),
            mails: Vec::new(),
        }
    }

    pub fn file(name: &str, settled: bool) -> Candidate {
        Candidate { file: Stamp { name: name.into(), size: 9, mtime: at("2026-11-22T00:00:00Z") }, settled }
    }

    pub fn status(&self) -> UserSyncStatus {
        self.sync.status.clone().unwrap_or_default()
    }

    /// `STATUS REASON` of a condition; empty if it isn't there.
    pub fn said(&self, kind: &str) -> String {
        let status = self.status();
        let said = status.conditions.iter().find(|said| said.type_ == kind);
        said.map(|said| format!("{} {}", said.status, said.reason)).unwrap_or_default()
    }

    pub fn edit(&mut self, change: impl FnOnce(&mut UserSync)) {
        change(&mut self.sync);
        *self.sync.metadata.generation.as_mut().unwrap() += 1;
    }

    pub fn annotate(&mut self, name: &str, value: &str) {
        self.sync.metadata.annotations.get_or_insert_default().insert(name.into(), value.into());
    }

    pub fn approve(&mut self, run: usize, value: &str) {
        self.all[run].metadata.annotations.get_or_insert_default().insert(APPROVE.into(), value.into());
    }

    /// A run that somebody else makes.
    pub fn plant(&mut self, name: &str) {
        let mut run = crate::control::cause::run_of(&self.sync, &Cause::UpdateNow("planted".into()), &[]);
        run.metadata.name = Some(name.into());
        self.all.push(run);
    }

    /// The process ends and another begins.
    pub fn restart(&mut self) {
        self.memory = Memory::default();
    }

    /// The run at work ends.
    pub fn finish(&mut self) {
        let name = self.memory.at_work.take().unwrap();
        self.end_as_told(&name);
    }

    /// Steps until there is nothing left to do, in words; the last one is a wait.
    pub fn rest(&mut self) -> Vec<String> {
        let mut steps = Vec::new();
        loop {
            steps.push(self.step());
            if steps.last().unwrap().starts_with("wait") {
                return steps;
            }
            assert!(steps.len() < 60, "no rest: {steps:?}");
        }
    }

    /// One decision, carried out.
    pub fn step(&mut self) -> String {
        let view = View {
            sync: Ok(self.sync.clone()),
            runs: self.all.clone(),
            live: true,
            target_required: self.target_required,
            bounds: self.bounds.clone(),
        };
        match decide(&view, &self.memory, self.now) {
            Decision::Wait(None) => "wait".into(),
            Decision::Wait(Some(until)) => format!("wait {until}"),
            Decision::Note(status) => {
                let claimed = status.active_run.clone().filter(|_| self.status().active_run.is_none());
                self.sync.status = Some(through_the_api(&*status));
                match claimed {
                    Some(name) => format!("claim {}", self.trigger(&name)),
                    None => "note".into(),
                }
            }
            Decision::Create(run) => {
                assert!(!self.all.iter().any(|known| known.metadata.name == run.metadata.name), "made twice");
                let mut run: UserSyncRun = through_the_api(&*run);
                run.metadata.creation_timestamp = Some(Time(self.now));
                self.all.push(run);
                "create".into()
            }
            Decision::Execute(order) => {
                let name = order.run.metadata.name.unwrap();
                self.approvals.push(order.approval);
                if self.runs_end {
                    self.end_as_told(&name)
                } else {
                    self.memory.at_work = Some(name)
                }
                "execute".into()
            }
            Decision::End(run, status) => {
                let run = self.all.iter_mut().find(|known| known.metadata.name == run.metadata.name).unwrap();
                assert!(ended(run).is_none(), "ended twice");
                run.status = Some(through_the_api(&*status));
                self.memory.ended = None;
                "end".into()
            }
            Decision::Leave(_) => {
                self.memory.ended = None;
                "leave".into()
            }
            Decision::Hurry(_) => {
                self.memory.hurried = true;
                "hurry".into()
            }
            Decision::Deliver(runs) => {
                let one = |run: &UserSyncRun| {
                    let owed = standing(run).into_iter().filter(|one| one.state == DeliveryState::Waiting);
                    let deliveries = owed.map(|one| {
                        self.mails.push((run.metadata.name.clone().unwrap(), one.to.clone()));
                        let posted = self.post.get(&one.to).cloned().unwrap_or(Posted::Sent);
                        posted.delivery(one.kind, &one.to)
                    });
                    Tidings { run: run.metadata.name.clone().unwrap(), deliveries: deliveries.collect() }
                };
                let mut tidings: Vec<Tidings> = runs.iter().map(one).collect();
                if let Some(name) = self.sync.status.as_ref().filter(|_| alert_open(&self.sync)).and_then(alert_name) {
                    let owed = alert_standing(&self.sync, &self.status()).into_iter();
                    let deliveries = owed.filter(|one| one.state == DeliveryState::Waiting).map(|one| {
                        self.mails.push((name.clone(), one.to.clone()));
                        let posted = self.post.get(&one.to).cloned().unwrap_or(Posted::Sent);
                        posted.delivery(one.kind, &one.to)
                    });
                    let deliveries = deliveries.collect();
                    tidings.push(Tidings { run: name, deliveries });
                }
                self.memory.posted = Some(posted(self.memory.posted.as_ref(), tidings, self.now));
                "deliver".into()
            }
            Decision::Tell(run, status) => {
                let run = self.all.iter_mut().find(|known| known.metadata.name == run.metadata.name).unwrap();
                run.status = Some(through_the_api(&*status));
                "tell".into()
            }
            Decision::Refresh => panic!("what is seen here is never old"),
            Decision::Forget(runs) => {
                assert!(!runs.is_empty());
                self.all.retain(|known| !runs.iter().any(|run| run.metadata.name == known.metadata.name));
                "forget".into()
            }
            Decision::Probe { login } => {
                self.logins += u32::from(login);
                let found = login.then(|| Found { source: self.source.clone(), target: Ok(()) });
                let fitness = Fitness { references: self.references.clone(), found };
                let generation = self.sync.metadata.generation.unwrap();
                self.memory.probed = Some(probed(self.memory.probed.as_ref(), generation, fitness, login, self.now));
                "probe".into()
            }
            Decision::Finish { aside } => {
                let left = self.left.clone();
                self.memory.finished = Some(finished(
                    self.memory.finished.as_ref(),
                    self.sync.metadata.generation.unwrap(),
                    left,
                    self.now,
                ));
                let names: Vec<_> = aside.iter().map(|file| format!(" {}", file.stamp.name)).collect();
                format!("finish{}", names.concat())
            }
            Decision::Look { slot, tried } => {
                let tried = tried.unwrap();
                let known = |file: &Stamp| tried.iter().any(|tried: &Tried| tried.file == *file);
                let seen = self.folder.clone().map(|seen| seen.filter(|seen| !known(&seen.file)));
                let found = sight(&self.sync, self.memory.looked.as_ref(), seen, self.now);
                let generation = self.sync.metadata.generation.unwrap();
                self.memory.looked = Some(Looked { generation, slot, at: self.now, found });
                assert_eq!(tried, crate::control::known::tried(&self.sync.spec, &self.all));
                "look".into()
            }
        }
    }

    fn end_as_told(&mut self, name: &str) {
        let mut status = failed(self.run_reason, "as told", self.now);
        if matches!(self.run_reason.verdict(), Verdict::Completed | Verdict::Rejects) {
            status.conditions[0].status = "True".into();
        }
        let file = self.folder.as_ref().ok().and_then(Clone::clone).unwrap_or_else(|| Self::file("a.csv", true)).file;
        status.basis.as_mut().unwrap().modified = Some(file.mtime);
        let file = FileReport {
            name: file.name,
            size: file.size,
            sha256: Some("ab".repeat(32)),
            rows: None,
            correction: false,
        };
        status.file = Some(file).filter(|_| self.run_reason != Reason::NoFile);
        status.guard = Some(GuardReport { removals: 412, ..GuardReport::default() });
        if let Ok(Some(left)) = &self.left {
            leaves(&mut status, left, self.now);
        }
        (self.memory.at_work, self.memory.probed) = (None, None);
        (self.memory.looked, self.memory.finished) = (None, None);
        self.memory.ended = Some(Attempted { run: name.into(), attempt: "one".into(), status });
    }

    fn trigger(&self, name: &str) -> String {
        let status = self.status();
        let mut causes = crate::control::requests::approvals(&self.sync, &self.all);
        causes.extend(status.last_schedule_time.map(|slot| Cause::Slot(slot.0)));
        causes.extend(status.last_handled_update_now.map(Cause::UpdateNow));
        causes.extend(status.last_handled_simulate_now.map(Cause::SimulateNow));
        let cause = causes.into_iter().find(|cause| run_name(&self.sync, cause) == name).unwrap();
        match cause {
            Cause::Slot(_) => "Schedule",
            Cause::UpdateNow(_) => "UpdateNow",
            Cause::SimulateNow(_) => "SimulateNow",
            Cause::Approval { .. } => "Approval",
        }
        .into()
    }

    /// The runs there are: trigger and token.
    pub fn runs(&self) -> Vec<String> {
        let words = |run: &UserSyncRun| {
            let token = run.spec.token.as_ref().map(|token| format!(" {token}")).unwrap_or_default();
            format!("{:?}{token}", run.spec.trigger)
        };
        self.all.iter().map(words).collect()
    }

    /// The slots that have a run.
    pub fn slots(&self) -> Vec<String> {
        let scheduled = self.all.iter().filter(|run| run.spec.trigger == Trigger::Schedule);
        scheduled.filter_map(|run| run.spec.slot.as_ref().map(|slot| slot.0.to_string())).collect()
    }

    /// Why the runs ended.
    pub fn reasons(&self) -> Vec<String> {
        self.all.iter().filter_map(|run| ended(run).map(|(_, reason, _)| reason.to_owned())).collect()
    }
}

/// What comes back of an object that was written: times have whole seconds.
fn through_the_api<T: serde::Serialize + serde::de::DeserializeOwned>(object: &T) -> T {
    serde_json::from_value(serde_json::to_value(object).unwrap()).unwrap()
}

//! A run at work, beside the folder and the database: a fence, a ledger that commits a run once, safeguards that hold a file.

use jiff::Timestamp;
use usersync::{
    api::{Counts, Mode, Reports, UserSyncRunStatus},
    control::{
        job::spec_digest,
        told::{leaves, run_status},
    },
    model::{
        condition::ConditionReason,
        file::Stamp,
        ledger::{LedgerRow, OpenStep},
        reason::Reason,
        report::{FileReport, GuardReport, RunReport, Timings},
        sync::{Candidate, Failure, Tried, Unfinished},
        view::{Attempted, Order},
    },
    sync::choose::{Choice as Taken, choose, choose_approved, choose_due},
};

use super::{
    model::Control,
    replica::word,
    spec::{created, listing, sha256, stamp, take},
    state::{Attempt, Doc, Kind, Phase, Plan, Row, State, Wrong},
};

impl Control {
    /// Whether the source answers.
    pub fn source(&self, state: &State) -> Result<(), Failure> {
        let message = "no answer".to_owned();
        if state.place.down { Err(Failure { reason: Reason::SourceUnreachable, message }) } else { Ok(()) }
    }

    /// The file that a scheduled run would take now.
    pub fn sight(&self, state: &State, of: &Doc, tried: &[Tried]) -> Result<Option<Candidate>, Failure> {
        self.source(state)?;
        let digest = spec_digest(&self.sync(of).spec);
        let taken = choose_due(&listing(&state.place.files), &take(), &self.imported(state), &digest, tried);
        Ok(match taken {
            Taken::Take(file) | Taken::Again(file) | Taken::TooLarge(file) => {
                let came = state.place.files[usize::from(number(&file))].map(|file| file.clock);
                Some(Candidate { file, settled: came < Some(state.clock) })
            }
            Taken::Waits(_) | Taken::Nothing => None,
        })
    }

    /// The committed runs, newest first.
    fn imported(&self, state: &State) -> Vec<LedgerRow> {
        let row = |row: &Row| LedgerRow {
            run: (*self.names.get(row.run)).clone(),
            file: stamp(row.file),
            sha256: sha256(row.file),
            spec: self.digest(row.variant),
            result: "Completed".into(),
            counts: Counts::default(),
            report: String::new(),
            open: row.open.then_some(OpenStep::Archive).into_iter().collect(),
            committed: created(),
        };
        state.place.ledger.iter().rev().map(row).collect()
    }

    /// One try of the replica's run: it takes the fence, looks and compares. False: it would change nothing.
    pub fn try_run(&self, state: &mut State, by: usize, now: Timestamp) -> bool {
        let Some(attempt) = state.replicas[by].attempt.clone() else { return false };
        let order = self.orders.get(attempt.order);
        let waits = order.until.is_some_and(|until| now < until) && !attempt.last;
        if attempt.phase == Phase::Waits && state.place.down && waits {
            return false;
        }
        if matches!(attempt.phase, Phase::Ready(_) | Phase::Sure(_)) {
            return false;
        }
        if attempt.phase == Phase::Waits && !self.ours(state, &order.run) {
            self.through(state, by, &order, None);
            return true;
        }
        if order.run.spec.mode == Mode::Import {
            state.place.fence = Some(u8::try_from(by).unwrap());
        }
        let plan = self.plan(state, &order);
        if order.run.spec.mode == Mode::Import {
            // What runs before left to do comes first; whatever comes of it, this one goes on.
            drop(self.finish_rows(state));
        }
        let phase = if plan.reason == Reason::SourceUnreachable && waits {
            let trouble = self.source(state).err();
            self.remember(&mut state.replicas[by], |memory| memory.trouble = trouble);
            Phase::Waits
        } else {
            Phase::Ready(plan)
        };
        if let Some(attempt) = &mut state.replicas[by].attempt {
            attempt.phase = phase;
        }
        true
    }

    fn plan(&self, state: &State, order: &Order) -> Plan {
        let name = self.name(&order.run);
        let rows = &state.place.ledger;
        let last = rows.last().map(|row| row.run);
        let end = |reason, file| Plan { reason, file, last, commits: false };
        let import = order.run.spec.mode == Mode::Import;
        if let Some(row) = rows.iter().find(|row| row.run == name).filter(|_| import) {
            return end(Reason::AlreadyApplied, Some(row.file));
        }
        if state.place.down {
            return end(Reason::SourceUnreachable, None);
        }
        let (listing, take, imported) = (listing(&state.place.files), take(), self.imported(state));
        let digest = spec_digest(&order.run.spec.sync_spec);
        let held = order.approval.as_ref().and_then(|approval| approval.held.as_ref());
        let approved = held.and_then(|held| choose_approved(&listing, &take, held.file.as_ref()?));
        let taken = approved.unwrap_or_else(|| match &order.tried {
            Some(tried) => choose_due(&listing, &take, &imported, &digest, tried),
            None => choose(&listing, &take, &imported, None),
        });
        let (Taken::Take(file) | Taken::Again(file)) = taken else { return end(Reason::NoFile, None) };
        let file = number(&file);
        let kind = state.place.files[usize::from(file)].unwrap().kind;
        let name = |id| (*self.names.get(id)).clone();
        let outdated = order.approval.as_ref().is_some_and(|approval| {
            let seen = approval.held.as_ref().and_then(|held| held.last.clone());
            approval.sha256 != sha256(file) || seen != last.map(name)
        });
        let reason = match kind {
            Kind::Bad => Reason::InvalidFile,
            _ if outdated => Reason::ApprovalOutdated,
            Kind::Held if order.approval.is_none() => Reason::Held,
            Kind::Held | Kind::Good => Reason::Completed,
        };
        Plan { commits: reason == Reason::Completed && import, ..end(reason, Some(file)) }
    }

    /// The replica's run ends. Before it commits it asks whether the run is still its own; then it does, if its fence still
    /// stands.
    pub fn finish(&self, state: &mut State, by: usize, now: Timestamp) -> bool {
        let Some(attempt) = state.replicas[by].attempt.clone() else { return false };
        let order = self.orders.get(attempt.order);
        let plan = match attempt.phase {
            Phase::Ready(plan) if plan.commits && !self.planted.commits_unasked() => {
                if self.ours(state, &order.run) {
                    state.replicas[by].attempt = Some(Attempt { phase: Phase::Sure(plan), ..attempt });
                } else {
                    self.through(state, by, &order, None);
                }
                return true;
            }
            Phase::Ready(plan) | Phase::Sure(plan) => plan,
            Phase::Begun | Phase::Waits => return false,
        };
        let fenced = plan.commits && usize::from(state.place.fence.unwrap()) != by;
        if plan.commits && !fenced {
            self.commit(state, &order, plan.file.unwrap());
        }
        state.place.ends += 1;
        let left = self.left(state).filter(|_| order.run.spec.mode == Mode::Import && plan.reason.used_both());
        let status = (!fenced).then(|| {
            let mut status = run_status(
                &self.report(&order, &plan, now),
                plan.file.map(stamp).as_ref(),
                plan.last.map(|last| (*self.names.get(last)).clone()).as_deref(),
            );
            left.iter().for_each(|left| leaves(&mut status, left, now));
            status
        });
        self.through(state, by, &order, status);
        true
    }

    /// What runs left to do is tried; what is left then.
    pub fn finish_rows(&self, state: &mut State) -> Result<Option<Unfinished>, Failure> {
        self.source(state)?;
        if !state.place.blocked {
            state.place.ledger.iter_mut().for_each(|row| row.open = false);
        }
        Ok(self.left(state))
    }

    /// The first of what is left to do.
    fn left(&self, state: &State) -> Option<Unfinished> {
        let row = state.place.ledger.iter().find(|row| row.open)?;
        let about = format!("{} is not moved", stamp(row.file).name);
        Some(Unfinished { reason: ConditionReason::FileNotMoved, message: format!("{about}: no"), about })
    }

    /// The replica's attempt is over; this is what came of it.
    fn through(&self, state: &mut State, by: usize, order: &Order, status: Option<UserSyncRunStatus>) {
        let run = order.run.metadata.name.clone().unwrap();
        self.remember(&mut state.replicas[by], |memory| {
            (memory.at_work, memory.trouble, memory.hurried) = (None, None, false);
            (memory.probed, memory.looked, memory.finished) = (None, None, None);
            memory.ended = status.map(|status| Attempted { run, attempt: word(&order.run), status });
        });
        state.replicas[by].attempt = None;
    }

    /// A fence guards nothing where nobody works.
    pub fn settle(&self, state: &mut State) {
        if state.replicas.iter().all(|replica| replica.attempt.is_none()) {
            state.place.fence = None;
        }
    }

    fn commit(&self, state: &mut State, order: &Order, file: u8) {
        let (name, variant) = (self.name(&order.run), self.mapping(&order.run.spec.sync_spec));
        let rows = &mut state.place.ledger;
        let scheduled = order.tried.is_some();
        if scheduled && rows.iter().any(|row| row.file == file && row.variant == variant) {
            state.wrong = Some(Wrong::FileTwice);
        }
        if rows.iter().any(|row| row.run == name) {
            state.wrong = Some(Wrong::Twice);
        }
        if state.seen.ended.contains(&name) {
            state.wrong = Some(Wrong::Unended);
        }
        rows.push(Row { run: name, file, variant, open: state.place.blocked });
        if self.status(&state.api.sync).active_run.as_deref() != order.run.metadata.name.as_deref() {
            state.wrong = Some(Wrong::AtOnce);
        }
        let kind = state.place.files[usize::from(file)].unwrap().kind;
        if kind != Kind::Good && !state.seen.approved {
            state.wrong = Some(Wrong::Unapproved);
        }
    }

    fn report(&self, order: &Order, plan: &Plan, now: Timestamp) -> RunReport {
        let file = plan.file.map(|number| {
            let Stamp { name, size, .. } = stamp(number);
            FileReport { name, size, sha256: Some(sha256(number)), rows: Some(1), correction: false }
        });
        RunReport {
            sync: "people/hr".into(),
            run: order.run.metadata.name.clone().unwrap(),
            mode: order.run.spec.mode,
            reason: plan.reason,
            message: plan.reason.meaning().into(),
            file,
            counts: Counts::default(),
            guard: GuardReport { held: plan.reason == Reason::Held, ..GuardReport::default() },
            start_time: now,
            completion_time: now,
            timings: Timings::default(),
            warnings: Vec::new(),
            looked: None,
            reports: Reports::default(),
        }
    }
}

/// The number of the file.
pub fn number(file: &Stamp) -> u8 {
    (0..2).find(|number| stamp(*number) == *file).unwrap()
}

//! What a replica does: it looks, decides, and one effect is carried out; as `engine::reconcile` does it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use usersync::{
    api::{DeliveryState, UserSyncRun, UserSyncStatus},
    control::{
        cause::{attempt, ended, named, run_of},
        decide::{finished, posted, probed, sight},
        deliveries::{noted, standing},
        events::events,
        known::tried,
        told::at_work,
    },
    model::{
        condition::{ConditionReason, UNFINISHED},
        event::EventKind,
        post::{Posted, Tidings},
        sync::{Cause, Fitness, Found},
        view::Looked,
    },
};

use super::{
    model::{Control, api_time},
    spec::created,
    state::{Act, Api, Attempt, Choice, Doc, Late, Phase, State, Wrong},
    table::Id,
};

impl Control {
    /// What a replica does that is alone in the world; whether that is anything.
    pub fn act_alone(&self, state: &mut State, by: usize, act: Act) -> bool {
        let now = self.now(state);
        match act {
            Act::Step(_) => {
                let of = state.api.sync.clone();
                let choice = self.look(state, by, now);
                self.carry_out(state, by, &choice, &of, now);
                !matches!(choice, Choice::Wait(_))
            }
            Act::Glance(_) => {
                let (shown, choice) = self.glance(state, by, now);
                let does = !self.needs_truth(&choice) && !matches!(choice, Choice::Wait(_));
                if does {
                    self.carry_out(state, by, &choice, &shown.sync, now);
                }
                does
            }
            Act::Lose(_) => {
                let choice = self.look(state, by, now);
                self.lose(state, choice)
            }
            Act::Try(_) => self.try_run(state, by, now),
            Act::Finish(_) => self.finish(state, by, now),
        }
    }

    /// What the replica decides on the truth: what it remembers of the runs goes with it.
    pub fn look(&self, state: &mut State, by: usize, now: Timestamp) -> Choice {
        let key = (state.api.clone(), state.replicas[by].memory);
        state.replicas[by].memory = self.aware.get(&key).unwrap_or_else(|| {
            let view = self.view(&state.api, true);
            let files = view.sync.as_ref().map(|sync| tried(&sync.spec, &view.runs)).unwrap();
            let generation = i64::from(state.api.sync.generation);
            self.remember(&mut state.replicas[by], |memory| memory.tried = Some((generation, files)));
            self.aware.put(key, state.replicas[by].memory)
        });
        self.decide(&state.api, true, state.replicas[by].memory, now)
    }

    /// What the replica decides on what its watch shows.
    pub fn glance(&self, state: &State, by: usize, now: Timestamp) -> (Api, Choice) {
        let replica = &state.replicas[by];
        let shown = replica.stuck.as_ref().unwrap_or(&state.api).clone();
        let choice = self.decide(&shown, false, replica.memory, now);
        (shown, choice)
    }

    /// Carries out what was decided on `of`.
    pub fn carry_out(&self, state: &mut State, by: usize, choice: &Choice, of: &Doc, now: Timestamp) {
        match choice {
            Choice::Wait(_) => {}
            Choice::Note(_) | Choice::Say(_) | Choice::Create(_) | Choice::Forget(_) => {
                self.arrive(state, choice, of, now)
            }
            Choice::End(run, _) => {
                self.arrive(state, choice, of, now);
                let name = self.runs.get(*run).metadata.name.clone();
                self.remember(&mut state.replicas[by], |memory| {
                    memory.ended.take_if(|attempted| Some(&attempted.run) == name.as_ref());
                });
            }
            Choice::Leave => self.remember(&mut state.replicas[by], |memory| memory.ended = None),
            Choice::Execute(order) => self.execute(state, by, *order),
            Choice::Hurry => {
                self.remember(&mut state.replicas[by], |memory| memory.hurried = true);
                if let Some(attempt) = &mut state.replicas[by].attempt {
                    attempt.last = true;
                }
            }
            Choice::Probe(login) => {
                let found = Found { source: self.source(state), target: Ok(()) };
                let fitness = Fitness { references: "r".into(), found: login.then_some(found) };
                let generation = i64::from(of.generation);
                self.remember(&mut state.replicas[by], |memory| {
                    memory.probed = Some(probed(memory.probed.as_ref(), generation, fitness, *login, now));
                });
            }
            Choice::Finish => {
                let left = self.finish_rows(state);
                let generation = i64::from(of.generation);
                self.remember(&mut state.replicas[by], |memory| {
                    memory.finished = Some(finished(memory.finished.as_ref(), generation, left, now));
                });
            }
            Choice::Tell(..) => self.arrive(state, choice, of, now),
            Choice::Deliver(runs) => {
                let mut tidings = Vec::new();
                for run in runs {
                    let run = self.runs.get(*run);
                    let name = self.name(&run);
                    let mute = Posted::Waiting(ConditionReason::MailUnreachable, "no answer".into());
                    let posted = if state.place.mute { mute } else { Posted::Sent };
                    if posted == Posted::Sent {
                        if state.seen.mailed.contains(&name) && !state.seen.unnoted {
                            state.wrong = Some(Wrong::Mailed);
                        }
                        state.seen.mailed.push(name);
                        state.seen.mailed.sort();
                        state.seen.mailed.dedup();
                    }
                    let open = standing(&run).into_iter().filter(|one| one.state == DeliveryState::Waiting);
                    let deliveries = open.map(|one| posted.clone().delivery(one.kind, &one.to)).collect();
                    tidings.push(Tidings { run: run.metadata.name.clone().unwrap(), deliveries });
                }
                self.remember(&mut state.replicas[by], |memory| {
                    memory.posted = Some(posted(memory.posted.as_ref(), tidings, now));
                });
            }
            Choice::Look(slot, tried) => {
                let seen = self.sight(state, of, self.tried.get(*tried).as_deref().unwrap_or_default());
                let sync = self.sync(of);
                self.remember(&mut state.replicas[by], |memory| {
                    let found = sight(&sync, memory.looked.as_ref(), seen, now);
                    let generation = i64::from(of.generation);
                    memory.looked = Some(Looked { generation, slot: *slot, at: now, found });
                });
            }
        }
    }

    /// The write goes out, and the replica sees an error.
    pub fn lose(&self, state: &mut State, choice: Choice) -> bool {
        let writes = matches!(
            choice,
            Choice::Note(_)
                | Choice::Say(_)
                | Choice::Create(_)
                | Choice::End(..)
                | Choice::Forget(_)
                | Choice::Tell(..)
        );
        if writes {
            state.late = Some(Late { choice, of: state.api.sync.clone() });
        }
        writes
    }

    /// The API server takes a write, or refuses it: it has a resource version, and a name is there once.
    pub fn arrive(&self, state: &mut State, choice: &Choice, of: &Doc, now: Timestamp) {
        let before = state.api.clone();
        match choice {
            Choice::Note(status) | Choice::Say(status) if state.api.sync == *of || self.planted.writes_blindly() => {
                self.note(state, *status);
            }
            Choice::Create(run) => self.create(state, *run, now),
            Choice::End(run, status) => self.end(state, *run, *status),
            Choice::Tell(run, status) => self.told(state, *run, *status),
            Choice::Forget(runs) => {
                // By UID: whatever has become of it since.
                let uid = |run: Id| self.runs.get(run).metadata.uid.clone();
                let gone: Vec<_> = runs.iter().map(|run| uid(*run)).collect();
                state.api.runs.retain(|run| !gone.contains(&uid(*run)));
            }
            _ => {}
        }
        self.changed(state, &before);
    }

    /// Watches show what has changed.
    pub fn changed(&self, state: &mut State, before: &Api) {
        if state.api == *before {
            return;
        }
        for replica in &mut state.replicas {
            self.shown(replica);
        }
    }

    fn note(&self, state: &mut State, status: Id) {
        let (before, after) = (self.status(&state.api.sync), self.statuses.get(status));
        if self.forgets(state, &before, &after) {
            state.wrong = Some(Wrong::Backwards);
        }
        let told: Vec<_> = events(&before, &after).into_iter().map(|event| event.kind).collect();
        let name = |name: &Option<String>| name.as_ref().map(|name| self.names.kept(name));
        let (old, new) = (name(&before.active_run), name(&after.active_run));
        if old != new {
            if old.is_some_and(|old| !state.seen.ended.contains(&old)) {
                state.wrong = Some(if new.is_some() { Wrong::AtOnce } else { Wrong::Dropped });
            }
            if let Some(new) = new {
                self.claim(state, new, &after.last_schedule_time);
            }
        }
        let ends = [EventKind::RunCompleted, EventKind::RunFailed, EventKind::RunHeld];
        let ends = told.iter().filter(|kind| ends.contains(kind)).count();
        let another = before.last_run.as_ref().map(|run| &run.name) != after.last_run.as_ref().map(|run| &run.name);
        let starts = told.iter().filter(|kind| **kind == EventKind::RunStarted).count();
        let left = |status: &UserSyncStatus| status.conditions.iter().any(|said| said.type_ == UNFINISHED);
        let (was, is) = (left(&before), left(&after));
        if told.contains(&EventKind::Unfinished) != (!was && is) || told.contains(&EventKind::Finished) != (was && !is)
        {
            state.wrong = Some(Wrong::Event);
        }
        if ends != usize::from(another) || starts != usize::from(old != new && new.is_some()) {
            state.wrong = Some(Wrong::Event);
        }
        state.api.sync.status = Some(status);
    }

    /// Whether a status lacks what the one before knew.
    fn forgets(&self, state: &State, before: &UserSyncStatus, after: &UserSyncStatus) -> bool {
        fn lost<T: PartialOrd>(before: &Option<T>, after: &Option<T>) -> bool {
            before.is_some() && after < before
        }
        fn gone<T>(before: &Option<T>, after: &Option<T>) -> bool {
            before.is_some() && after.is_none()
        }
        let place = |status: &UserSyncStatus| {
            let name = self.names.kept(&status.last_run.as_ref()?.name);
            state.seen.ended.iter().position(|ended| *ended == name)
        };
        let tokens = |status: &UserSyncStatus| status.handled_tokens.iter().cloned().collect::<BTreeSet<_>>();
        lost(&before.observed_generation, &after.observed_generation)
            || lost(&before.last_schedule_time, &after.last_schedule_time)
            || lost(&before.last_successful_time, &after.last_successful_time)
            || gone(&before.last_handled_update_now, &after.last_handled_update_now)
            || gone(&before.last_handled_simulate_now, &after.last_handled_simulate_now)
            || gone(&before.last_completed_update_now, &after.last_completed_update_now)
            || gone(&before.last_completed_simulate_now, &after.last_completed_simulate_now)
            || lost(&place(before), &place(after))
            || !tokens(before).is_subset(&tokens(after))
    }

    /// The status claims a run that it didn't claim before.
    fn claim(&self, state: &mut State, name: Id, slot: &Option<Time>) {
        if state.seen.claimed.contains(&name) {
            state.wrong = Some(Wrong::Twice);
        }
        let sync = self.sync(&state.api.sync);
        let scheduled = slot.as_ref().map(|slot| self.name(&run_of(&sync, &Cause::Slot(slot.0), &[])));
        if scheduled == Some(name) && state.api.sync.suspend {
            state.wrong = Some(Wrong::Suspended);
        }
        state.seen.claimed.push(name);
    }

    fn create(&self, state: &mut State, run: Id, now: Timestamp) {
        let mut run = (*self.runs.get(run)).clone();
        let name = self.name(&run);
        if self.named(&state.api, name).is_some() {
            return;
        }
        if state.seen.ended.contains(&name) && state.late.is_none() {
            state.wrong = Some(Wrong::Twice);
        }
        let made = state.seen.made.iter().filter(|made| **made == name).count();
        run.metadata.uid = Some(format!("{}/{made}", run.metadata.name.as_ref().unwrap()));
        run.metadata.creation_timestamp = Some(api_time(now));
        state.seen.made.push(name);
        state.api.runs.push(self.runs.stored(&run));
        state.api.runs.sort_by_key(|run| self.runs.get(*run).metadata.name.clone());
    }

    fn end(&self, state: &mut State, run: Id, status: Id) {
        let Some(at) = state.api.runs.iter().position(|there| *there == run) else { return };
        let mut run = (*self.runs.get(run)).clone();
        let name = self.name(&run);
        let was = ended(&run).is_some() || state.seen.ended.contains(&name);
        run.status = Some((*self.ends.get(status)).clone());
        let (_, reason, _) = ended(&run).unwrap();
        let committed = state.place.ledger.iter().any(|row| row.run == name);
        let said = ["Completed", "AlreadyApplied"].contains(&reason);
        let misreported = run.spec.mode == usersync::api::Mode::Import && committed != said;
        if was || misreported || reason == "Refused" {
            state.wrong = Some(Wrong::Unended);
        }
        state.seen.ended.push(name);
        state.api.runs[at] = self.runs.stored(&run);
    }

    /// The run's status says who was told of it; it stays as it ended.
    fn told(&self, state: &mut State, run: Id, status: Id) {
        let Some(at) = state.api.runs.iter().position(|there| *there == run) else { return };
        let mut run = (*self.runs.get(run)).clone();
        let before = ended(&run).map(|(done, reason, why)| (done, reason.to_owned(), why.to_owned()));
        run.status = Some((*self.ends.get(status)).clone());
        if before.is_none()
            || before != ended(&run).map(|(done, reason, why)| (done, reason.to_owned(), why.to_owned()))
        {
            state.wrong = Some(Wrong::Unended);
        }
        state.api.runs[at] = self.runs.stored(&run);
    }

    /// Whether a replica has sent something that no run's status says yet.
    pub fn has_unnoted(&self, state: &State, by: usize, now: Timestamp) -> bool {
        let memory = self.memories.get(state.replicas[by].memory);
        let view = self.view(&state.api, true);
        memory.posted.iter().flat_map(|posted| &posted.tidings).any(|tidings| {
            let run = named(&view.runs, &tidings.run);
            run.is_some_and(|run| noted(run, &tidings.deliveries, now).is_some())
        })
    }

    /// Whether two runs are at work that have not ended.
    pub fn two_at_work(&self, state: &State) -> bool {
        let attempts = state.replicas.iter().filter_map(|replica| replica.attempt.as_ref());
        let mut names = attempts.map(|attempt| self.name(&self.orders.get(attempt.order).run));
        let mut open = names.by_ref().filter(|name| !state.seen.ended.contains(name));
        match (open.next(), open.next()) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        }
    }

    fn execute(&self, state: &mut State, by: usize, order: Id) {
        let name = self.name(&self.orders.get(order).run);
        let active = self.status(&state.api.sync).active_run;
        if state.seen.ended.contains(&name) {
            state.wrong = Some(Wrong::Twice);
        } else if active.map(|active| self.names.kept(&active)) != Some(name) {
            state.wrong = Some(Wrong::AtOnce);
        }
        // Its word stands in the run before it touches anything; if the run has changed meanwhile, nothing begins.
        let ordered = self.orders.get(order).run.clone();
        let known = self.runs.stored(&ordered);
        let Some(at) = state.api.runs.iter().position(|there| *there == known) else { return };
        let (before, mut run) = (state.api.clone(), (*self.runs.get(known)).clone());
        run.status = Some(at_work("Running", "the run is at work", created(), &word(&ordered)));
        state.api.runs[at] = self.runs.stored(&run);
        let replica = &mut state.replicas[by];
        self.remember(replica, |memory| {
            (memory.at_work, memory.trouble, memory.hurried) = (run.metadata.name.clone(), None, false);
            memory.ended = None;
        });
        replica.attempt = Some(Attempt { order, phase: Phase::Begun, last: false });
        self.changed(state, &before);
    }

    /// Whether the run is still the replica's own: no other attempt has written its word there, or ended it.
    pub fn ours(&self, state: &State, run: &UserSyncRun) -> bool {
        let there = self.named(&state.api, self.name(run)).map(|(_, there)| self.runs.get(there));
        there.is_some_and(|there| ended(&there).is_none() && attempt(&there) == Some(&word(run)))
    }
}

/// The word of the attempt that was begun on the run as it was: one more than that of the attempt before.
pub fn word(run: &UserSyncRun) -> String {
    let before: u32 = attempt(run).map_or(0, |word| word.parse().unwrap());
    (before + 1).to_string()
}

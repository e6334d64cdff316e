//! What becomes of a state once the world holds still: the one leader works on, its alarms go off, and there is an end to it.
//!
//! `eventually` of the checker is sound on paths without cycles only. This is stronger and sound: from every state that was
//! reached the leader is driven on, step by step as `engine::reconcile` goes, until it has nothing left to do; that it gets
//! there, and what is true there, is an invariant of that state.

use jiff::{SignedDuration, Timestamp};
use usersync::{
    api::{Trigger, UserSyncStatus},
    control::{
        cause::{ended, run_name, token_digest},
        deliveries::open,
        requests::approvals,
        schedule::{Due, next},
    },
    model::{
        condition::{NOTIFIED, READY, STALLED, SUSPENDED, UNFINISHED},
        sync::Cause,
    },
};

use super::{
    model::{Control, token_text},
    spec::INVALID,
    state::{Api, Choice, Kind, Phase, Place, Replica, Seen, State},
};

/// What decides where a state comes to rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rest {
    now: Timestamp,
    horizon: Timestamp,
    api: Api,
    leader: Replica,
    place: Place,
    seen: Seen,
}

/// More steps than this lead nowhere.
const STEPS: usize = 400;

impl Control {
    /// Whether the state comes to rest, and all is well then.
    pub fn rests(&self, state: &State) -> Result<(), String> {
        let mut state = state.clone();
        // Of two leaders the later one stays; a lost write is lost.
        state.late = None;
        if state.replicas[1].leads {
            state.replicas.swap(0, 1);
            state.place.fence = state.place.fence.map(|by| 1 - by);
        }
        self.restart(&mut state, 1);
        state.replicas[1].leads = false;
        state.replicas[0].stuck = None;
        self.shown(&mut state.replicas[0]);
        self.come_to_rest(&mut state, false)
    }

    /// Drives the first replica on until there is nothing left to do; the source answers again. The `whole` way, or only to where
    /// it is known how it goes on.
    pub fn come_to_rest(&self, state: &mut State, whole: bool) -> Result<(), String> {
        let mut now = self.now(state);
        let horizon = self.horizon(state);
        let (mut told, mut passed) = (Vec::new(), Vec::new());
        let mut outcome = None;
        while outcome.is_none() {
            let key = Rest {
                now,
                horizon,
                api: state.api.clone(),
                leader: state.replicas[0].clone(),
                place: state.place.clone(),
                seen: state.seen.clone(),
            };
            // Where the way meets another one it ends as that did.
            outcome = self.rested.get(&key).filter(|_| !whole);
            passed.push(key);
            if outcome.is_none() {
                outcome = self.drive(state, &mut now, horizon, &mut told);
            }
            if passed.len() > STEPS {
                outcome = Some(Err(format!("no rest: {told:?}")));
            }
        }
        let outcome = outcome.unwrap();
        for key in passed {
            drop(self.rested.put(key, outcome.clone()));
        }
        outcome
    }

    /// One step. Some: that was all.
    fn drive(
        &self,
        state: &mut State,
        now: &mut Timestamp,
        horizon: Timestamp,
        told: &mut Vec<String>,
    ) -> Option<Result<(), String>> {
        if state.wrong.is_some() {
            return Some(Err(format!("{:?} after {told:?}", state.wrong)));
        }
        let until = self.pass(state, *now, told)?;
        match state.replicas[0].attempt.as_ref().map(|attempt| &attempt.phase) {
            Some(Phase::Ready(_) | Phase::Sure(_)) => {
                told.push("finish".into());
                self.finish(state, 0, *now);
                self.settle(state);
                *now = now.checked_add(SignedDuration::from_millis(1)).unwrap();
            }
            Some(phase) => {
                told.push("try".into());
                if *phase == Phase::Waits {
                    state.place.down = false;
                }
                self.try_run(state, 0, *now);
            }
            None if state.place.down || state.place.blocked || state.place.mute => {
                (state.place.down, state.place.blocked, state.place.mute) = (false, false, false);
            }
            None => return self.alarm(state, now, until, horizon, told),
        }
        None
    }

    /// There is nothing to do until then: all is well, and if a file waits for its slot the clock goes on.
    fn alarm(
        &self,
        state: &State,
        now: &mut Timestamp,
        until: Option<Timestamp>,
        horizon: Timestamp,
        told: &[String],
    ) -> Option<Result<(), String>> {
        let soon = now.checked_add(SignedDuration::from_mins(5)).unwrap();
        if until.is_none_or(|until| until > soon) {
            let well = self.well(state, *now);
            let missing = self.unimported(state);
            if well.is_err() || (missing.is_none() && !self.unfinished(state) && !self.untold(state)) {
                return Some(well);
            }
        }
        match until.filter(|until| *until <= horizon) {
            // An alarm that is set again for the same moment is an endless loop.
            Some(until) if until <= *now => Some(Err(format!("an alarm in the past: {told:?}"))),
            Some(until) => {
                *now = until;
                None
            }
            None if self.untold(state) => Some(Err(format!("somebody is still to be told: {told:?}"))),
            None if self.unfinished(state) => Some(Err(format!("something is left to do: {told:?}"))),
            None => Some(Err(format!("file {:?} was not imported: {told:?}", self.unimported(state)))),
        }
    }

    /// One decision as `reconcile` takes it. Some: there is nothing to do until then.
    fn pass(&self, state: &mut State, now: Timestamp, told: &mut Vec<String>) -> Option<Option<Timestamp>> {
        let (_, mut choice) = self.glance(state, 0, now);
        let of = state.api.sync.clone();
        if self.needs_truth(&choice) {
            choice = self.look(state, 0, now);
        }
        if let Choice::Wait(until) = choice {
            return Some(until);
        }
        told.push(format!("{choice:?}"));
        self.carry_out(state, 0, &choice, &of, now);
        None
    }

    /// Until when alarms go off.
    fn horizon(&self, state: &State) -> Timestamp {
        let now = self.moments[usize::from(state.clock)];
        let spec = self.sync(&state.api.sync).spec;
        // A run takes one file: each may need a slot of its own, and one may have passed when it came.
        let slots = 0..=state.place.files.len();
        let last = slots.fold(now, |slot, _| next(spec.schedule.as_ref().unwrap(), "people/hr", slot).unwrap());
        last.checked_add(SignedDuration::from_mins(20)).unwrap()
    }

    /// Whether everything is as it should be, at rest.
    fn well(&self, state: &State, now: Timestamp) -> Result<(), String> {
        let view = self.view(&state.api, true);
        let (sync, doc) = (view.sync.as_ref().unwrap(), &state.api.sync);
        let status = self.status(doc);
        let valid = doc.variant != INVALID;
        let say = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {status:?}")) };
        let condition = |kind: &str| said(&status, kind);
        say(state.replicas[0].attempt.is_none() && status.active_run.is_none(), "a run is at work")?;
        say(view.runs.iter().all(|run| ended(run).is_some()), "a run has not ended")?;
        say(status.observed_generation == sync.metadata.generation, "observedGeneration")?;
        say(condition(READY) == Some(if valid { "True" } else { "False" }), "Ready")?;
        say(condition(STALLED) == (!valid).then_some("True"), "Stalled")?;
        say(condition(SUSPENDED) == doc.suspend.then_some("True"), "Suspended")?;
        let last = state.seen.ended.last().map(|name| (*self.names.get(*name)).clone());
        say(status.last_run.as_ref().map(|run| &run.name) == last.as_ref(), "lastRun")?;
        say(state.seen.claimed.iter().all(|name| state.seen.ended.contains(name)), "a claimed run has not ended")?;
        if !valid {
            return Ok(());
        }
        let (update, simulate) = (token_text("u", doc.update), token_text("s", doc.simulate));
        let tokens = [
            (doc.update, Trigger::UpdateNow, &update, Cause::UpdateNow(update.clone())),
            (doc.simulate, Trigger::SimulateNow, &simulate, Cause::SimulateNow(simulate.clone())),
        ];
        for (_, trigger, token, cause) in tokens.into_iter().filter(|(number, ..)| *number > 0) {
            let name = self.names.kept(&run_name(sync, &cause));
            say(state.seen.ended.contains(&name), "a token's run has not ended")?;
            say(status.handled_tokens.contains(&token_digest(trigger, token)), "handledTokens")?;
        }
        for approval in approvals(sync, &view.runs) {
            let name = self.names.kept(&run_name(sync, &approval));
            say(state.seen.ended.contains(&name), "an approved run has not ended")?;
        }
        if !doc.suspend {
            let due = Due::new(sync, &status).unwrap();
            say(due.polls() || due.now(now).is_none(), "a slot is due")?;
            say(
                due.polls() || status.next_schedule_time.as_ref().is_some_and(|next| next.0 > now),
                "nextScheduleTime",
            )?;
        }
        Ok(())
    }

    /// Whether something is left to do, or is said to be, that nothing stands in the way of.
    fn unfinished(&self, state: &State) -> bool {
        let doc = &state.api.sync;
        let open = state.place.ledger.iter().any(|row| row.open) || said(&self.status(doc), UNFINISHED).is_some();
        open && !doc.suspend && doc.variant != INVALID
    }

    /// Whether somebody is still to be told of a run, or it is said that somebody was not.
    fn untold(&self, state: &State) -> bool {
        let runs = state.api.runs.iter().any(|run| open(&self.runs.get(*run)));
        runs || said(&self.status(&state.api.sync), NOTIFIED).is_some()
    }

    /// The first file that the schedule should have imported.
    fn unimported(&self, state: &State) -> Option<u8> {
        let doc = &state.api.sync;
        if doc.suspend || doc.variant == INVALID {
            return None;
        }
        let mapping = u8::from(doc.variant == 1);
        for (number, file) in (0u8..).zip(&state.place.files) {
            let Some(file) = file else { continue };
            let done = state.place.ledger.iter().any(|row| row.file == number && row.variant == mapping);
            match file.kind {
                _ if done => {}
                Kind::Good => return Some(number),
                Kind::Held => return None,
                Kind::Bad => {}
            }
        }
        None
    }
}

fn said<'a>(status: &'a UserSyncStatus, kind: &str) -> Option<&'a str> {
    status.conditions.iter().find(|said| said.type_ == kind).map(|said| said.status.as_str())
}

//! What may happen next: to the world, and by a replica.

use stateright::{Model, Property};
use usersync::{
    api::{APPROVE, UserSyncRun},
    control::cause::held,
};

use super::{
    model::Control,
    spec::VARIANTS,
    state::{Act, File, Kind, Phase, State, Wrong},
    table::Id,
};

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The clock goes on to the next moment.
    Clock,
    /// The spec is edited.
    Edit(u8),
    Suspend,
    Resume,
    /// A new token, or the one before comes back.
    Update,
    Revert,
    Simulate,
    /// A held run is approved.
    Approve(Id),
    /// A file of that kind appears.
    File(u8, Kind),
    /// The source goes away, or comes back.
    Outage,
    /// Files can't be moved any more, or again.
    Block,
    /// The mail server goes away, or comes back.
    Mute,
    /// The replica dies and starts again.
    Crash(usize),
    /// The second replica leads as well: the first one's Lease ran out, and it doesn't know.
    Takeover,
    /// The first one sees that it leads no more, and ends.
    StepDown,
    /// The replica's watch gets stuck, until the replica has gone by it once.
    Stuck(usize),
    /// A replica does something.
    Act(usize, Act),
    /// A lost write arrives; and will do so again.
    Arrive,
    Repeat,
}

impl Model for Control {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = self.start();
        if !self.fresh {
            self.come_to_rest(&mut state, true).unwrap();
            // The first slot is due; the second one is a step of the clock away.
            state.clock = 1;
        }
        vec![state]
    }

    fn actions(&self, state: &State, all: &mut Vec<Action>) {
        if state.wrong.is_some() {
            return;
        }
        self.world(state, all);
        for by in 0..2 {
            let replica = &state.replicas[by];
            if !replica.leads {
                continue;
            }
            all.push(Action::Act(by, Act::Step(by)));
            if replica.stuck.is_some() {
                all.push(Action::Act(by, Act::Glance(by)));
            } else if state.left.stuck > 0 {
                all.push(Action::Stuck(by));
            }
            if state.left.late > 0 && state.late.is_none() {
                all.push(Action::Act(by, Act::Lose(by)));
            }
            // A process that knows nothing loses nothing.
            if state.left.crash > 0 && (replica.memory != self.blank() || replica.attempt.is_some()) {
                all.push(Action::Crash(by));
            }
            match replica.attempt.as_ref().map(|attempt| &attempt.phase) {
                Some(Phase::Ready(_) | Phase::Sure(_)) => all.push(Action::Act(by, Act::Finish(by))),
                Some(_) => all.push(Action::Act(by, Act::Try(by))),
                None => {}
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let changes = match action {
            Action::Act(by, act) => {
                let did = self.act(&mut state, by, act);
                match act {
                    Act::Lose(_) => state.left.late -= 1,
                    Act::Glance(_) => {
                        state.replicas[by].stuck = None;
                        self.shown(&mut state.replicas[by]);
                    }
                    _ => {}
                }
                if did && self.two_at_work(&state) {
                    state.wrong = Some(Wrong::AtOnce);
                }
                did
            }
            other => {
                self.happens(&mut state, &other);
                true
            }
        };
        self.settle(&mut state);
        (changes && state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn kept(state: &State, wrong: Wrong) -> bool {
            state.wrong != Some(wrong)
        }
        vec![
            Property::always("each token and each slot starts at most one run", |_, s| kept(s, Wrong::Twice)),
            Property::always("the schedule imports each file at most once", |_, s| kept(s, Wrong::FileTwice)),
            Property::always("no run of a suspended sync but by token", |_, s| kept(s, Wrong::Suspended)),
            Property::always("one run at work at most, and a claimed one", |_, s| kept(s, Wrong::AtOnce)),
            Property::always("nothing is written for a held run that nobody approved", |_, s| {
                kept(s, Wrong::Unapproved)
            }),
            Property::always("the status never goes back", |_, s| kept(s, Wrong::Backwards)),
            Property::always("a run that ended stays so, as it ended", |_, s| kept(s, Wrong::Unended)),
            Property::always("a claimed run is carried out", |_, s| kept(s, Wrong::Dropped)),
            Property::always("events say what happened", |_, s| kept(s, Wrong::Event)),
            Property::always("a mail is sent once, unless somebody died who had sent it", |_, s| {
                kept(s, Wrong::Mailed)
            }),
            Property::always(
                "once the world holds still, what is due has run and the status says what is",
                |model: &Self, s: &State| s.wrong.is_some() || model.rests(s).is_ok(),
            ),
        ]
    }
}

impl Control {
    fn world(&self, state: &State, all: &mut Vec<Action>) {
        let (left, sync) = (&state.left, &state.api.sync);
        if left.clock > 0 && usize::from(state.clock) + 1 < self.moments.len() {
            all.push(Action::Clock);
        }
        if left.edit > 0 {
            all.extend((0..VARIANTS).filter(|variant| *variant != sync.variant).map(Action::Edit));
        }
        if left.suspend > 0 {
            all.push(if sync.suspend { Action::Resume } else { Action::Suspend });
        }
        let tokens = [(left.update > 0, Action::Update), (left.revert > 0 && sync.update > 0, Action::Revert)];
        all.extend(tokens.into_iter().filter_map(|(may, action)| may.then_some(action)));
        if left.simulate > 0 {
            all.push(Action::Simulate);
        }
        if left.approve > 0 {
            let held = |run: &&Id| held(&self.runs.get(**run)) && !approved(&self.runs.get(**run));
            all.extend(state.api.runs.iter().filter(held).map(|run| Action::Approve(*run)));
        }
        if left.files > 0 {
            match state.place.files {
                [None, _] => all.extend(self.kinds.iter().map(|kind| Action::File(0, *kind))),
                [Some(_), None] => all.push(Action::File(1, Kind::Good)),
                _ => {}
            }
        }
        if left.outage > 0 {
            all.push(Action::Outage);
        }
        if left.mute > 0 {
            all.push(Action::Mute);
        }
        if left.block > 0 {
            all.push(Action::Block);
        }
        if left.takeover > 0 {
            all.push(Action::Takeover);
        }
        if state.replicas.iter().all(|replica| replica.leads) {
            all.push(Action::StepDown);
        }
        if state.late.is_some() {
            all.push(Action::Arrive);
            if left.repeat > 0 {
                all.push(Action::Repeat);
            }
        }
    }

    fn happens(&self, state: &mut State, action: &Action) {
        let before = state.api.clone();
        let now = self.now(state);
        let (left, sync) = (&mut state.left, &mut state.api.sync);
        match action {
            Action::Clock => (left.clock, state.clock) = (left.clock - 1, state.clock + 1),
            Action::Edit(variant) => {
                (left.edit, sync.variant, sync.generation) = (left.edit - 1, *variant, sync.generation + 1);
            }
            Action::Suspend | Action::Resume => {
                (left.suspend, sync.suspend) = (left.suspend - 1, !sync.suspend);
                sync.generation += 1;
            }
            Action::Update => (left.update, sync.update) = (left.update - 1, sync.update + 1),
            Action::Revert => (left.revert, sync.update) = (left.revert - 1, sync.update - 1),
            Action::Simulate => (left.simulate, sync.simulate) = (left.simulate - 1, sync.simulate + 1),
            Action::Approve(run) => {
                left.approve -= 1;
                state.seen.approved = true;
                let mut object: UserSyncRun = (*self.runs.get(*run)).clone();
                let file = object.status.as_ref().and_then(|status| status.file.as_ref()?.sha256.clone());
                object.metadata.annotations.get_or_insert_default().insert(APPROVE.into(), file.unwrap());
                let at = state.api.runs.iter().position(|there| there == run).unwrap();
                state.api.runs[at] = self.runs.stored(&object);
            }
            Action::File(file, kind) => {
                left.files -= 1;
                state.place.files[usize::from(*file)] = Some(File { kind: *kind, clock: state.clock });
            }
            Action::Outage => (left.outage, state.place.down) = (left.outage - 1, !state.place.down),
            Action::Block => (left.block, state.place.blocked) = (left.block - 1, !state.place.blocked),
            Action::Mute => (left.mute, state.place.mute) = (left.mute - 1, !state.place.mute),
            Action::Crash(by) => {
                left.crash -= 1;
                self.restart(state, *by);
            }
            Action::Takeover => {
                left.takeover -= 1;
                // Until the first one sees it, both may send the same.
                state.seen.unnoted = true;
                state.replicas[1].leads = true;
            }
            Action::StepDown => {
                self.restart(state, 0);
                state.replicas[0].leads = false;
            }
            Action::Stuck(by) => {
                left.stuck -= 1;
                state.replicas[*by].stuck = Some(before.clone());
            }
            Action::Arrive | Action::Repeat => {
                let late = state.late.take().unwrap();
                self.arrive(state, &late.choice, &late.of, now);
                if *action == Action::Repeat {
                    state.left.repeat -= 1;
                    state.late = Some(late);
                }
            }
            _ => {}
        }
        self.changed(state, &before);
    }

    /// The process ends, wherever it is, and begins anew with nothing.
    pub fn restart(&self, state: &mut State, by: usize) {
        state.seen.unnoted |= self.has_unnoted(state, by, self.now(state));
        state.replicas[by].attempt = None;
        self.settle(state);
        let replica = &mut state.replicas[by];
        replica.stuck = None;
        replica.memory = self.blank();
    }
}

fn approved(run: &UserSyncRun) -> bool {
    run.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(APPROVE))
}

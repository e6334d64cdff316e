//! The model: what it knows besides its state, and its conversions between numbers and objects.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use usersync::{
    api::{APPROVE, SIMULATE_NOW, UPDATE_NOW, UserSync, UserSyncRun, UserSyncRunStatus, UserSyncSpec, UserSyncStatus},
    control::{
        cause::{ended, held},
        decide::decide,
        deliveries::unsettled,
        job::spec_digest,
    },
    model::{
        sync::Tried,
        view::{Decision, Memory, Order, View},
    },
};

use super::{
    planted::Planted,
    spec,
    state::{Act, Api, Choice, Doc, Kind, Left, Place, Replica, Seen, State},
    table::{Id, Memo, Table},
};

/// A world to be explored.
pub struct Control {
    /// How often each thing may happen.
    pub left: Left,
    /// What the first file may be; the second one is good.
    pub kinds: &'static [Kind],
    /// The bug that was planted.
    pub planted: Planted,
    /// From a sync that was just made; otherwise from one at rest.
    pub fresh: bool,
    nothing: Id,
    variants: Vec<UserSync>,
    digests: Vec<String>,
    pub moments: [Timestamp; 3],
    pub statuses: Table<UserSyncStatus>,
    pub runs: Table<UserSyncRun>,
    pub ends: Table<UserSyncRunStatus>,
    pub memories: Table<Memory>,
    pub orders: Table<Order>,
    pub tried: Table<Option<Vec<Tried>>>,
    pub names: Table<String>,
    decided: Memo<(Api, bool, Id, Timestamp), Choice>,
    steps: Memo<(State, Act), (State, bool)>,
    unaware: Memo<Id, Id>,
    pub aware: Memo<(Api, Id), Id>,
    pub rested: Memo<super::rest::Rest, Result<(), String>>,
}

impl Control {
    /// A world with that schedule, and another one for a spec edit.
    pub fn new(schedule: [&str; 2], kinds: &'static [Kind], left: Left) -> Self {
        let variants: Vec<_> = (0..spec::VARIANTS).map(|variant| spec::sync(schedule, variant)).collect();
        let memories = Table::default();
        Self {
            left,
            kinds,
            nothing: memories.kept(&Memory::default()),
            planted: Planted::Nothing,
            fresh: false,
            moments: spec::moments(&variants[0]),
            digests: variants.iter().map(|sync| spec_digest(&sync.spec)).collect(),
            variants,
            statuses: Table::default(),
            runs: Table::default(),
            ends: Table::default(),
            memories,
            orders: Table::default(),
            tried: Table::default(),
            names: Table::default(),
            decided: Memo::default(),
            steps: Memo::default(),
            unaware: Memo::default(),
            aware: Memo::default(),
            rested: Memo::default(),
        }
    }

    /// The same, from a sync that was just made.
    pub fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// The same, of a sync that tells somebody of each run by mail.
    pub fn with_mail(mut self) -> Self {
        for sync in &mut self.variants {
            let report = serde_json::json!({"email": {"smtp": {"name": "m"}, "from": "a@x.de", "to": ["b@x.de"]}});
            sync.spec.report = serde_json::from_value(report).unwrap();
        }
        self.digests = self.variants.iter().map(|sync| spec_digest(&sync.spec)).collect();
        self
    }

    /// The same, with that bug.
    pub fn with(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }

    /// A sync that was just made, and two replicas of which the first one leads.
    pub fn start(&self) -> State {
        let replica = |leads| Replica { leads, memory: self.nothing, attempt: None, stuck: None };
        let sync = Doc { variant: 0, suspend: false, generation: 1, update: 0, simulate: 0, status: None };
        State {
            clock: 0,
            api: Api { sync, runs: Vec::new() },
            replicas: [replica(true), replica(false)],
            late: None,
            place: Place {
                files: [None; 2],
                down: false,
                blocked: false,
                mute: false,
                ledger: Vec::new(),
                fence: None,
                ends: 0,
            },
            seen: Seen {
                claimed: Vec::new(),
                made: Vec::new(),
                ended: Vec::new(),
                approved: false,
                mailed: Vec::new(),
                unnoted: false,
            },
            left: self.left,
            wrong: None,
        }
    }

    /// The resource as the API has it.
    pub fn sync(&self, doc: &Doc) -> UserSync {
        let mut sync = self.variants[usize::from(doc.variant)].clone();
        sync.spec.suspend = doc.suspend;
        sync.metadata.generation = Some(i64::from(doc.generation));
        let tokens = [(UPDATE_NOW, doc.update, "u"), (SIMULATE_NOW, doc.simulate, "s")];
        for (name, token, kind) in tokens.into_iter().filter(|(_, token, _)| *token > 0) {
            sync.metadata.annotations.get_or_insert_default().insert(name.into(), token_text(kind, token));
        }
        sync.status = doc.status.map(|status| (*self.statuses.get(status)).clone());
        sync
    }

    /// The status as the API has it.
    pub fn status(&self, doc: &Doc) -> UserSyncStatus {
        doc.status.map(|status| (*self.statuses.get(status)).clone()).unwrap_or_default()
    }

    /// What a replica sees. A watch keeps of the runs only those that may need something.
    pub fn view(&self, api: &Api, live: bool) -> View {
        let needed = |run: &UserSyncRun| {
            let approved = run.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(APPROVE));
            live || ended(run).is_none() || (approved && held(run)) || unsettled(run)
        };
        let runs = api.runs.iter().map(|run| (*self.runs.get(*run)).clone()).filter(needed).collect();
        View { sync: Ok(self.sync(&api.sync)), runs, live, target_required: false, bounds: None }
    }

    /// The real decision, in numbers.
    pub fn decide(&self, api: &Api, live: bool, memory: Id, now: Timestamp) -> Choice {
        let key = (api.clone(), live, memory, now);
        if let Some(known) = self.decided.get(&key) {
            return known;
        }
        let view = self.view(api, live);
        let memory = self.memories.get(memory);
        let decision = decide(&view, &memory, now);
        let decision = self.planted.decide(decision, &view, &memory, now);
        let choice = self.choice(decision, &view);
        self.decided.put(key, choice)
    }

    /// The digest of a spec.
    pub fn digest(&self, variant: u8) -> String {
        self.digests[usize::from(variant)].clone()
    }

    /// The first variant that does the same to a table.
    pub fn mapping(&self, spec: &UserSyncSpec) -> u8 {
        let digest = spec_digest(spec);
        (0..).find(|variant| self.digest(*variant) == digest).unwrap()
    }

    /// How many questions were put to the real functions.
    pub fn decisions(&self) -> usize {
        self.decided.len()
    }

    fn choice(&self, decision: Decision, view: &View) -> Choice {
        let seen_will_do = !decision.needs_truth(view);
        match decision {
            Decision::Wait(until) => Choice::Wait(until),
            Decision::Note(status) if seen_will_do => Choice::Say(self.statuses.stored(&status)),
            Decision::Note(status) => Choice::Note(self.statuses.stored(&status)),
            Decision::Create(run) => Choice::Create(self.runs.stored(&run)),
            Decision::Execute(order) => Choice::Execute(self.orders.kept(&order)),
            Decision::End(run, status) => Choice::End(self.runs.stored(&run), self.ends.stored(&status)),
            Decision::Leave(_) => Choice::Leave,
            Decision::Hurry(_) => Choice::Hurry,
            // On the truth there is nothing newer to see; on anything else to forget nothing is to look at it.
            Decision::Refresh if view.live => Choice::Wait(None),
            Decision::Refresh => Choice::Forget(Vec::new()),
            Decision::Forget(runs) => Choice::Forget(runs.iter().map(|run| self.runs.stored(run)).collect()),
            Decision::Probe { login } => Choice::Probe(login),
            Decision::Finish { .. } => Choice::Finish,
            Decision::Deliver(runs) => Choice::Deliver(runs.iter().map(|run| self.runs.stored(run)).collect()),
            Decision::Tell(run, status) => Choice::Tell(self.runs.stored(&run), self.ends.stored(&status)),
            Decision::Look { slot, tried } => Choice::Look(slot, self.tried.kept(&tried)),
        }
    }

    /// Whether that may only be done on what was read just now.
    pub fn needs_truth(&self, choice: &Choice) -> bool {
        match choice {
            Choice::Wait(_) | Choice::Say(_) | Choice::Probe(_) => false,
            Choice::Look(_, tried) => self.tried.get(*tried).is_none(),
            _ => !self.planted.trusts_caches(),
        }
    }

    /// What is remembered of nothing.
    pub fn blank(&self) -> Id {
        self.nothing
    }

    /// The number of a name.
    pub fn name(&self, run: &UserSyncRun) -> Id {
        self.names.kept(run.metadata.name.as_ref().unwrap())
    }

    /// The run of that name, if there is one, and its place.
    pub fn named(&self, api: &Api, name: Id) -> Option<(usize, Id)> {
        api.runs.iter().copied().enumerate().find(|(_, run)| self.name(&self.runs.get(*run)) == name)
    }

    /// The moment of the clock; with each end of a run it moves on a little.
    pub fn now(&self, state: &State) -> Timestamp {
        let ends = SignedDuration::from_millis(i64::from(state.place.ends));
        self.moments[usize::from(state.clock)].checked_add(ends).unwrap()
    }

    /// What a replica does, without the rest of the world: the same in all states that differ only there. Whether it did
    /// anything.
    pub fn act(&self, state: &mut State, by: usize, act: Act) -> bool {
        let idle = Replica { leads: false, memory: self.nothing, attempt: None, stuck: None };
        let mut alone = State { left: Left::default(), late: None, ..state.clone() };
        alone.replicas[1 - by] = idle;
        let key = (alone.clone(), act);
        let (after, did) = self.steps.get(&key).unwrap_or_else(|| {
            let did = self.act_alone(&mut alone, by, act);
            self.steps.put(key, (alone, did))
        });
        let changed = after.api != state.api;
        let other = state.replicas[1 - by].clone();
        *state = State { left: state.left, late: after.late.clone().or(state.late.take()), ..after };
        state.replicas[1 - by] = other;
        if changed {
            self.shown(&mut state.replicas[1 - by]);
        }
        did
    }

    /// A watch shows that something has changed.
    pub fn shown(&self, replica: &mut Replica) {
        if replica.stuck.is_none() {
            let known = self.unaware.get(&replica.memory);
            replica.memory = known.unwrap_or_else(|| {
                let before = replica.memory;
                self.remember(replica, |memory| memory.tried = None);
                self.unaware.put(before, replica.memory)
            });
        }
    }

    /// Changes what a replica remembers.
    pub fn remember(&self, replica: &mut Replica, change: impl FnOnce(&mut Memory)) {
        let mut memory = (*self.memories.get(replica.memory)).clone();
        change(&mut memory);
        replica.memory = self.memories.kept(&memory);
    }
}

/// The value of an annotation.
pub fn token_text(kind: &str, token: u8) -> String {
    format!("{kind}{token}")
}

/// A time of the API.
pub fn api_time(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap())
}

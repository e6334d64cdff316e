//! Which slot is due, and when the next one is.

use jiff::{SignedDuration, Timestamp};

use super::Slots;
use crate::{
    api::{UserSync, UserSyncStatus, usersync::schedule::ScheduleSpec},
    control::job::DEFAULT_NAMESPACE,
};

/// The schedule of a sync: its slots, if it has any by time.
pub struct Due<'a> {
    spec: &'a ScheduleSpec,
    slots: Option<Slots>,
    created: Timestamp,
    handled: Option<Timestamp>,
}

impl<'a> Due<'a> {
    /// Of this sync, with this status; None without a (valid) schedule.
    pub fn new(sync: &'a UserSync, status: &UserSyncStatus) -> Option<Self> {
        let spec = sync.spec.schedule.as_ref()?;
        let slots = Slots::new(spec, &full_name(sync)).ok()?;
        let created = sync.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        // As precise as a time of the Kubernetes API.
        let created = Timestamp::from_second(created.as_second()).unwrap_or(created);
        Some(Self { spec, slots, created, handled: status.last_schedule_time.as_ref().map(|time| time.0) })
    }

    /// Whether runs start only when a look into the folder finds something.
    pub fn polls(&self) -> bool {
        self.spec.every.is_some()
    }

    /// The slot that is due: the latest one up to `now` that was not handled and is not older than `startingDeadline`. Of
    /// several missed ones the others are left out.
    pub fn now(&self, now: Timestamp) -> Option<Timestamp> {
        if self.spec.once.as_ref().is_some_and(|once| once.now.is_some()) {
            return self.handled.is_none().then_some(self.created);
        }
        let deadline = SignedDuration::try_from(self.spec.starting_deadline.get()).unwrap_or(SignedDuration::MAX);
        // A deadline is met to the second.
        let oldest = now.checked_sub(deadline).and_then(|from| from.checked_sub(SignedDuration::from_nanos(1)));
        let oldest = oldest.unwrap_or(Timestamp::MIN);
        // What was due before the resource was there is nobody's; a moment that is named is meant.
        let begin = if self.spec.once.is_some() || self.polls() { Timestamp::MIN } else { self.created };
        self.slots.as_ref()?.latest(oldest.max(self.handled.unwrap_or(begin)), now)
    }

    /// The next slot after `now`.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.slots.as_ref()?.next(now.max(self.handled.unwrap_or(Timestamp::MIN)))
    }
}

impl Slots {
    /// The latest slot after `after` and not after `now`.
    pub fn latest(&self, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let until = |slot: &Timestamp| *slot <= now;
        // Looks back further and further, so that a schedule of each second costs no more than one of each year.
        let mut window = SignedDuration::from_secs(1);
        let mut slot = loop {
            let from = now.checked_sub(window).unwrap_or(Timestamp::MIN).max(after);
            match self.next(from).filter(until) {
                Some(slot) => break slot,
                None if from <= after => return None,
                None => window = window.checked_mul(2).unwrap_or(SignedDuration::MAX),
            }
        };
        while let Some(later) = self.next(slot).filter(until) {
            slot = later;
        }
        Some(slot)
    }
}

/// `NAMESPACE/NAME`, or the name alone in namespace `default`.
pub fn full_name(sync: &UserSync) -> String {
    let name = sync.metadata.name.as_deref().unwrap_or_default();
    match sync.metadata.namespace.as_deref() {
        None | Some(DEFAULT_NAMESPACE) => name.to_owned(),
        Some(namespace) => format!("{namespace}/{name}"),
    }
}

//! The safeguards: whether a run may write, or waits for a person.

use crate::{
    api::Action,
    model::{
        counts::Counts,
        job::{Limit, Safeguards, Shown},
        report::GuardReport,
    },
    sync::render::text::number,
};

/// What the safeguards look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Counts of the run so far.
    pub counts: Counts,
    /// Users in scope who are not inactive.
    pub active: u64,
    /// Users who would go: removed, or made inactive by a mapped column.
    pub removals: u64,
    /// Users who would lose a value that they have.
    pub emptied: u64,
    /// Whether the user id of some rejected row can't be trusted.
    pub key_unreadable: bool,
    /// Whether the file is a rejects file that came back.
    pub correction: bool,
}

impl Figures {
    /// What a person is shown when the run is held, and what an approval covers.
    pub fn shown(&self) -> Shown {
        Shown {
            removals: self.removals,
            emptied: self.emptied,
            rejected: self.counts.rejected,
            updated: self.counts.updated,
        }
    }
}

/// Judges the figures. An approval lifts the safeguards as far as it covers what is about to happen; beyond that the run
/// is held again.
pub fn judge(figures: &Figures, safeguards: &Safeguards, action: Action, approval: Option<&Shown>) -> GuardReport {
    let reasons = match approval {
        None => breaches(figures, safeguards, action),
        Some(shown) => beyond(figures, shown),
    };
    GuardReport { held: !reasons.is_empty(), reasons, emptied: figures.emptied, removals: figures.removals }
}

fn breaches(figures: &Figures, safeguards: &Safeguards, action: Action) -> Vec<String> {
    let counts = &figures.counts;
    let rows = counts.read - counts.filtered;
    let passed = rows - counts.rejected;
    let mut reasons = Vec::new();
    let mut limit = |limit: Option<Limit>, name: &str, found: u64, of: u64, what: &str, whom: &str| {
        let Some(limit) = limit else { return };
        if let Some(allowed) = allowed(limit, of).filter(|allowed| found > *allowed) {
            reasons.push(format!(
                "{what} {} of {} {whom}; `safeguards.{name}: {}` allows {}",
                number(found),
                number(of),
                written(limit),
                number(allowed)
            ));
        }
    };
    let users = "active users";
    limit(Some(safeguards.max_removals), "maxRemovals", figures.removals, figures.active, "would remove", users);
    limit(Some(safeguards.max_emptied), "maxEmptied", figures.emptied, figures.active, "would empty a value of", users);
    limit(safeguards.max_updated, "maxUpdated", counts.updated, figures.active, "would update", users);
    limit(Some(safeguards.max_rejected), "maxRejected", counts.rejected, rows, "rejected", "rows");
    if passed < safeguards.min_rows && !figures.correction {
        reasons.push(format!(
            "only {} {} passed; `safeguards.minRows: {}` wants more: is the file complete?",
            number(passed),
            if passed == 1 { "row" } else { "rows" },
            safeguards.min_rows
        ));
    }
    if figures.key_unreadable && action == Action::Mirror && counts.removed > 0 {
        reasons.push(format!(
            "KeyUnreadable: would remove {} users, but the user id of some rejected rows can't be read: they may be among them",
            number(counts.removed)
        ));
    }
    reasons
}

/// So many active users that no limit is broken, however many more there are. None: it takes them all to say.
pub fn enough(figures: &Figures, safeguards: &Safeguards) -> Option<u64> {
    let Safeguards { max_removals, max_emptied, max_updated, .. } = safeguards;
    let limits = [
        (Some(*max_removals), figures.removals),
        (Some(*max_emptied), figures.emptied),
        (*max_updated, figures.counts.updated),
    ];
    let enough = |(limit, found): (Option<Limit>, u64)| match limit {
        Some(limit) if found > 0 => enough_for(limit, found),
        _ => Some(0),
    };
    limits.into_iter().try_fold(0, |most: u64, limit| Some(most.max(enough(limit)?)))
}

fn enough_for(limit: Limit, found: u64) -> Option<u64> {
    let of = match limit {
        // More than all of them can't be.
        Limit::Percent(percent) if percent > 0.0 => (found as f64 * 100.0 / percent).ceil() as u64 + 1,
        _ => 0,
    };
    allowed(limit, of).is_none_or(|allowed| found <= allowed).then_some(of)
}

/// What goes beyond the approval.
fn beyond(figures: &Figures, shown: &Shown) -> Vec<String> {
    [
        ("remove", figures.removals, shown.removals),
        ("empty a value of", figures.emptied, shown.emptied),
        ("reject", figures.counts.rejected, shown.rejected),
        ("update", figures.counts.updated, shown.updated),
    ]
    .into_iter()
    .filter(|(_, found, approved)| found > approved)
    .map(|(verb, found, approved)| {
        format!("would {verb} {}; only {} were shown and approved", number(found), number(approved))
    })
    .collect()
}

/// The largest number that is no breach. None: the guard is off.
fn allowed(limit: Limit, of: u64) -> Option<u64> {
    match limit {
        Limit::Count(count) => Some(count),
        Limit::Percent(percent) if percent >= 100.0 => None,
        // The millionth keeps 29 % of 100 at 29, which binary fractions would make 28.999….
        Limit::Percent(percent) => Some((of as f64 * percent / 100.0 + 1e-6).floor() as u64),
    }
}

fn written(limit: Limit) -> String {
    match limit {
        Limit::Count(count) => count.to_string(),
        Limit::Percent(percent) => format!("\"{percent}%\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safeguards() -> Safeguards {
        Safeguards {
            max_removals: Limit::Percent(10.0),
            max_emptied: Limit::Percent(10.0),
            max_rejected: Limit::Percent(50.0),
            max_updated: None,
            min_rows: 1,
        }
    }

    #[test]
    fn of_enough_users_no_limit_is_broken_and_of_fewer_one_may_be() {
        let percent = |percent| Limit::Percent(percent);
        for (limit, found, expected) in [
            (percent(10.0), 0, Some(0)),
            (percent(10.0), 10_000, Some(100_001)),
            (percent(29.0), 29, Some(101)),
            (percent(0.1), 1, Some(1_001)),
            (percent(100.0), 7, Some(8)),
            (percent(0.0), 1, None),
            (Limit::Count(5), 5, Some(0)),
            (Limit::Count(5), 6, None),
        ] {
            let safeguards = Safeguards { max_removals: limit, ..safeguards() };
            let counted = |active| breaches(&figures(active, found, 0, 9, 0), &safeguards, Action::Upsert).is_empty();
            assert_eq!(enough(&figures(0, found, 0, 9, 0), &safeguards), expected, "{found} by {limit:?}");
            match expected {
                Some(of) => assert!(counted(of) && counted(of * 2 + 5), "{found} of {of} by {limit:?}"),
                None => assert!(!counted(1_000_000)),
            }
        }
        let both = figures(0, 10, 300, 9, 0);
        assert_eq!(enough(&both, &safeguards()), Some(3_001), "the one that wants most of them");
    }

    fn figures(active: u64, removals: u64, emptied: u64, read: u64, rejected: u64) -> Figures {
        let counts = Counts { read, rejected, removed: removals, ..Counts::default() };
        Figures { counts, active, removals, emptied, ..Figures::default() }
    }

    #[test]
    fn a_limit_exactly_met_is_no_breach() {
        // (active, removals, emptied, read, rejected) → held because of
        let cases: &[((u64, u64, u64, u64, u64), &[&str])] = &[
            ((100, 10, 10, 100, 50), &[]),
            ((100, 11, 0, 100, 0), &["maxRemovals"]),
            ((109, 10, 0, 100, 0), &[]),
            ((109, 11, 0, 100, 0), &["maxRemovals"]),
            ((9, 1, 0, 8, 0), &["maxRemovals"]),
            ((0, 0, 0, 5, 0), &[]),
            ((100, 0, 11, 100, 0), &["maxEmptied"]),
            ((100, 0, 0, 100, 51), &["maxRejected"]),
            ((100, 0, 0, 0, 0), &["minRows"]),
            ((100, 0, 0, 2, 2), &["maxRejected", "minRows"]),
        ];
        for ((active, removals, emptied, read, rejected), expected) in cases {
            let figures = figures(*active, *removals, *emptied, *read, *rejected);
            let guard = judge(&figures, &safeguards(), Action::Mirror, None);
            assert_eq!(guard.held, !expected.is_empty(), "{figures:?}");
            assert_eq!(guard.reasons.len(), expected.len(), "{:?}", guard.reasons);
            for (reason, name) in guard.reasons.iter().zip(*expected) {
                assert!(reason.contains(name), "{reason} should name {name}");
            }
        }
    }

    #[test]
    fn one_hundred_percent_switches_a_guard_off_and_percentages_are_exact() {
        assert_eq!(allowed(Limit::Percent(100.0), 5), None);
        assert_eq!(allowed(Limit::Percent(29.0), 100), Some(29));
        assert_eq!(allowed(Limit::Percent(0.0), 100), Some(0));
        assert_eq!(allowed(Limit::Percent(12.5), 1_000), Some(125));
        assert_eq!(allowed(Limit::Count(7), 1), Some(7));
    }

    #[test]
    fn unreadable_keys_hold_only_a_mirror_that_would_remove_someone() {
        let unreadable = |removals, action| {
            let figures = Figures { key_unreadable: true, ..figures(1_000, removals, 0, 100, 1) };
            judge(&figures, &safeguards(), action, None).held
        };
        assert!(unreadable(1, Action::Mirror));
        assert!(!unreadable(0, Action::Mirror));
        assert!(!unreadable(1, Action::Delete));
    }

    #[test]
    fn a_correction_needs_no_rows() {
        let correction = Figures { correction: true, ..figures(10, 0, 0, 0, 0) };
        assert!(!judge(&correction, &safeguards(), Action::Upsert, None).held);
    }

    #[test]
    fn an_approval_covers_what_was_shown_and_no_more() {
        let shown = Shown { removals: 40, emptied: 0, rejected: 3, updated: 0 };
        let held = |removals, rejected| {
            judge(&figures(100, removals, 0, 100, rejected), &safeguards(), Action::Mirror, Some(&shown)).held
        };
        assert!(!held(40, 3));
        assert!(!held(12, 0));
        assert!(held(41, 3));
        assert!(held(40, 4));
    }
}

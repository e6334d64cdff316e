//! Who is told what.

use super::*;

#[test]
fn who_is_told_what() {
    use LetterKind::{FailedImport, Summary};
    let changed = Counts { read: 10, added: 1, ..Counts::default() };
    let rejected = Counts { read: 10, rejected: 1, unchanged: 9, ..Counts::default() };
    let same = Counts { read: 10, unchanged: 10, ..Counts::default() };
    let none = Counts::default();
    use MailWhen::{Always, OnChange, OnFailure};
    use Mode::{Import, Simulation};
    // (when, requested, mode, reason, counts) → kinds
    let cases: &[(MailWhen, bool, Mode, Reason, Counts, &[LetterKind])] = &[
        (Always, false, Import, Reason::Completed, same, &[Summary]),
        (OnChange, false, Import, Reason::Completed, same, &[]),
        (OnChange, false, Import, Reason::Completed, changed, &[Summary]),
        (OnFailure, false, Import, Reason::Completed, changed, &[]),
        (OnFailure, false, Import, Reason::Held, changed, &[Summary]),
        (OnFailure, false, Import, Reason::Held, rejected, &[Summary, FailedImport]),
        (OnFailure, false, Import, Reason::SourceDenied, none, &[Summary, FailedImport]),
        (OnFailure, false, Import, Reason::CompletedWithRejects, rejected, &[FailedImport]),
        (OnChange, false, Import, Reason::CompletedWithRejects, rejected, &[FailedImport]),
        (Always, false, Import, Reason::CompletedWithRejects, rejected, &[Summary, FailedImport]),
        (Always, false, Simulation, Reason::CompletedWithRejects, rejected, &[Summary]),
        (Always, false, Simulation, Reason::InvalidFile, none, &[Summary]),
        (OnFailure, false, Simulation, Reason::Held, rejected, &[Summary]),
        (Always, false, Import, Reason::NoFile, none, &[]),
        (Always, true, Import, Reason::NoFile, none, &[Summary]),
        (Always, true, Simulation, Reason::NoFile, none, &[Summary]),
        (OnChange, true, Import, Reason::NoFile, none, &[]),
        (Always, false, Import, Reason::ApprovalOutdated, none, &[Summary]),
        (Always, false, Import, Reason::AlreadyApplied, changed, &[]),
        (Always, false, Import, Reason::Stopped, none, &[]),
        (Always, false, Import, Reason::Refused, none, &[]),
    ];
    for (when, requested, mode, reason, counts, expected) in cases {
        let about = About { when: *when, requested: *requested, ..about() };
        assert_eq!(
            wanted(*mode, *reason, counts, &about),
            *expected,
            "{when:?} {requested} {mode:?} {reason} {counts:?}"
        );
        let nobody = About { to_anyone: false, failed_import_to_anyone: false, ..about.clone() };
        assert_eq!(wanted(*mode, *reason, counts, &nobody), []);
    }
    let quiet = About { simulations: false, ..about() };
    assert_eq!(wanted(Simulation, Reason::Completed, &changed, &quiet), []);
    assert_eq!(wanted(Import, Reason::Completed, &changed, &quiet), [Summary]);
}

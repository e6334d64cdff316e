//! What runs have left to do: what the last try to finish it found, or else the last run. It is said anew when something else is
//! left, or for another reason; not on each try.

use crate::{
    api::UserSyncStatus,
    model::{
        condition::UNFINISHED,
        reason::Reason,
        sync::{Failure, Unfinished},
        view::Memory,
    },
};

/// What stands between what is left and why it could not even be tried to finish it.
const IN_VAIN: &str = "\nIt could not be tried again: ";

/// Reason and message; None: nothing is left.
pub(super) fn unfinished(status: &UserSyncStatus, memory: &Memory) -> Option<(String, String)> {
    let said = said(status).map(|(reason, message)| (reason.to_owned(), message.to_owned()));
    match memory.finished.as_ref().map(|finished| &finished.left) {
        None => said,
        Some(Ok(None)) => None,
        Some(Ok(Some(left))) => {
            said.filter(|said| same(said, left)).or_else(|| Some((left.reason.to_string(), left.message.clone())))
        }
        Some(Err(failure)) => said.map(|(reason, message)| (reason, in_vain(message, failure))),
    }
}

/// Whether a login was refused when it was tried last to finish what is left. The condition remembers it when the process does
/// not.
pub fn refused(status: &UserSyncStatus) -> bool {
    let failed = said(status).and_then(|(_, message)| message.split_once(IN_VAIN));
    let reason = failed.and_then(|(_, why)| why.rsplit_once('(')?.1.strip_suffix(')'));
    reason.and_then(Reason::named).is_some_and(Reason::needs_a_person)
}

fn said(status: &UserSyncStatus) -> Option<(&str, &str)> {
    let said = status.conditions.iter().find(|said| said.type_ == UNFINISHED)?;
    Some((&said.reason, &said.message))
}

/// Whether that is said already: the same files and runs, in vain for the same reason.
fn same((reason, message): &(String, String), left: &Unfinished) -> bool {
    let (Some(before), Some(now)) = (message.strip_prefix(&left.about), left.message.strip_prefix(&left.about)) else {
        return false;
    };
    *reason == left.reason.as_str() && plain(before) == plain(now) && !message.contains(IN_VAIN)
}

fn in_vain(message: String, failure: &Failure) -> String {
    let now = format!("{} ({})", failure.message, failure.reason);
    match message.split_once(IN_VAIN) {
        Some((_, before)) if plain(before) == plain(&now) => message,
        Some((left, _)) => format!("{left}{IN_VAIN}{now}"),
        None => format!("{message}{IN_VAIN}{now}"),
    }
}

/// A text without times, counts and made-up names: on each try they are others, and it is the same trouble.
fn plain(text: &str) -> Vec<&str> {
    text.split_whitespace().filter(|word| !word.contains(|letter: char| letter.is_ascii_digit())).collect()
}

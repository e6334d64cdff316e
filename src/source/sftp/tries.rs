//! What was tried to log in, over one connection or several, and what is left: which way in is next is decided here alone.
//!
//! A password that the server has seen does not go out again by another way: servers count wrong ones, and lock the account
//! after a few.

use russh::{MethodKind, MethodSet, client::AuthResult};

use super::credentials::Credentials;

/// How a try ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// In.
    Done,
    /// That was right, and the server wants one of these besides.
    Partly(MethodSet),
    /// Not in; the server would accept these now.
    Refused(MethodSet),
    /// The connection ended.
    Ended,
}

impl From<Result<AuthResult, russh::Error>> for Step {
    fn from(result: Result<AuthResult, russh::Error>) -> Self {
        match result {
            Ok(AuthResult::Success) => Self::Done,
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                Self::failure(remaining_methods, partial_success)
            }
            Err(_) => Self::Ended,
        }
    }
}

impl Step {
    /// A failure after which these are left. None of them ends the connection, and is how its end is told, too.
    pub fn failure(left: MethodSet, partly: bool) -> Self {
        match (left.is_empty(), partly) {
            (true, _) => Self::Ended,
            (false, true) => Self::Partly(left),
            (false, false) => Self::Refused(left),
        }
    }
}

/// What is tried first: a key gives nothing away where it is not accepted, and questions are asked where a password alone is not.
const ORDER: [MethodKind; 3] = [MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive];

/// What was tried so far. A server that allows one try for each connection closes it before the right one was tried: then the
/// rest is tried on another.
#[derive(Default)]
pub struct Tries {
    /// Whether the server was asked what it accepts.
    asked: bool,
    /// What it said to that.
    begin: Option<MethodSet>,
    /// All that it ever said that it accepts.
    offered: Option<MethodSet>,
    /// Whether a connection that ended without a verdict was made anew.
    again: bool,
    /// Ways in that are not to be tried again.
    gone: Vec<MethodKind>,
    /// Ways in that were right on this connection; another one begins from the start.
    passed: Vec<MethodKind>,
    /// Whether something was refused on this connection.
    refused: bool,
    /// Whether the server has judged the password.
    judged: bool,
    /// What was tried, for the error.
    tried: Vec<String>,
    /// Why something was not tried, and what the server said, for the error.
    notes: Vec<String>,
}

impl Tries {
    /// Begins on a connection. What to try there, where the server is not asked again: that may count as a try.
    pub fn start(&mut self) -> MethodSet {
        self.passed.clear();
        self.refused = false;
        self.begin.clone().unwrap_or_else(|| MethodSet::from(&ORDER[..]))
    }

    /// Whether the server is to be asked what it accepts: once.
    pub fn ask(&mut self) -> bool {
        !std::mem::replace(&mut self.asked, true)
    }

    /// The server accepts these, before anything was tried.
    pub fn accepts(&mut self, left: &MethodSet) {
        self.begin = Some(left.clone());
        self.offer(left);
    }

    /// The next way in that the server accepts and the Secret has something for.
    pub fn next(&self, left: &MethodSet, credentials: &Credentials) -> Option<MethodKind> {
        let open = |kind: &MethodKind| {
            left.contains(kind)
                && credentials.fit(*kind)
                && !self.gone.contains(kind)
                && !self.passed.contains(kind)
                && !(self.judged && by_password(*kind))
        };
        ORDER.into_iter().find(open)
    }

    /// Whether this way in takes a connection of its own: who closes it because of what was refused before has not looked at the
    /// password, and it could not be told.
    pub fn needs_another(&self, kind: MethodKind) -> bool {
        self.refused && by_password(kind)
    }

    /// This way in is not tried at all.
    pub fn skip(&mut self, kind: MethodKind) {
        self.gone.push(kind);
    }

    /// This was right; the server wants one of `now` besides.
    pub fn partly(&mut self, kind: MethodKind, now: &MethodSet) {
        self.passed.push(kind);
        self.offer(now);
    }

    /// This was refused, and `now` is left. `sent`: the server had the password.
    pub fn refuse(&mut self, kind: MethodKind, sent: bool, now: &MethodSet) {
        self.refused = true;
        self.gone.push(kind);
        // Sent to a server that never offered it and does not now, it was the way that was refused.
        let offered = self.offered.as_ref().is_some_and(|offered| offered.contains(&kind)) || now.contains(&kind);
        self.judged |= sent && offered;
        self.offer(now);
    }

    /// The connection ended at this try. `sent`: the server had the password.
    pub fn end(&mut self, kind: MethodKind, sent: bool) {
        self.gone.push(kind);
        self.judged |= sent;
    }

    /// Whether a connection that ended without a verdict may be made anew: once.
    pub fn once_more(&mut self) -> bool {
        !std::mem::replace(&mut self.again, true)
    }

    /// Whether anything is left to try, on another connection.
    pub fn more(&mut self, credentials: &Credentials) -> bool {
        let left = self.start();
        self.next(&left, credentials).is_some()
    }

    /// Notes what is tried.
    pub fn name(&mut self, tried: &str) {
        if !self.tried.iter().any(|known| known == tried) {
            self.tried.push(tried.to_owned());
        }
    }

    /// Notes what helps to understand a refusal.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// What was tried and what the server accepts, as sentences.
    pub fn said(&self) -> String {
        let names = self.offered.iter().flat_map(|offered| offered.iter()).map(<&str>::from).collect::<Vec<_>>();
        let or = |list: String, none: &str| if list.is_empty() { none.to_owned() } else { list };
        let mut text = format!(
            "Tried: {}. The server accepts: {}.",
            or(self.tried.join(", "), "nothing, because the Secret has nothing of that kind"),
            or(names.join(", "), "nothing that is known here")
        );
        for note in &self.notes {
            text.push(' ');
            text.push_str(note);
        }
        text
    }

    fn offer(&mut self, left: &MethodSet) {
        let offered = self.offered.get_or_insert_with(MethodSet::empty);
        // A set: what is in it already stays once.
        left.iter().for_each(|&kind| offered.push(kind));
    }
}

/// Whether the password goes out by this way.
pub fn by_password(kind: MethodKind) -> bool {
    matches!(kind, MethodKind::Password | MethodKind::KeyboardInteractive)
}

#[cfg(test)]
mod tests {
    use MethodKind::{KeyboardInteractive as Questions, Password, PublicKey as Key};

    use super::*;

    fn set(kinds: &[MethodKind]) -> MethodSet {
        MethodSet::from(kinds)
    }

    fn with_password() -> Credentials {
        Credentials {
            username: "hr".to_owned(),
            password: Some("secret".to_owned()),
            key: None,
            sha1_signatures: false,
        }
    }

    #[test]
    fn a_password_that_was_judged_goes_out_by_no_other_way() {
        // What the server offers, tried by which way, what it offers then; what comes next.
        let cases: &[(Option<&[MethodKind]>, MethodKind, &[MethodKind], Option<MethodKind>)] = &[
            (Some(&[Key, Password, Questions]), Password, &[Key, Password, Questions], None),
            // It offered the way and does not any more: the try counted.
            (Some(&[Password, Questions]), Password, &[Questions], None),
            (Some(&[Questions]), Questions, &[Questions], None),
            // Nobody knew what it accepts, and it is not this.
            (None, Password, &[Key, Questions], Some(Questions)),
            (None, Password, &[Password, Questions], None),
        ];
        for (offered, tried, now, next) in cases {
            let mut tries = Tries::default();
            let mut left = tries.start();
            if let Some(offered) = offered {
                left = set(offered);
                tries.accepts(&left);
            }
            assert_eq!(tries.next(&left, &with_password()), Some(*tried), "{offered:?}");
            tries.refuse(*tried, true, &set(now));
            assert_eq!(tries.next(&set(now), &with_password()), *next, "{offered:?} then {now:?}");
        }
    }

    #[test]
    fn a_password_that_was_right_answers_a_question_besides() {
        let mut tries = Tries::default();
        tries.accepts(&set(&[Password]));
        tries.partly(Password, &set(&[Password, Questions]));
        assert_eq!(tries.next(&set(&[Password, Questions]), &with_password()), Some(Questions));
        // On another connection it begins from the start.
        let left = tries.start();
        assert_eq!(tries.next(&left, &with_password()), Some(Password));
    }

    #[test]
    fn questions_that_were_refused_before_the_password_was_given_leave_it_unjudged() {
        let mut tries = Tries::default();
        let left = set(&[Questions]);
        tries.accepts(&left);
        tries.refuse(Questions, false, &set(&[Password, Questions]));
        assert_eq!(tries.next(&set(&[Password, Questions]), &with_password()), Some(Password));
        assert!(tries.needs_another(Password) && !tries.needs_another(Key));
    }
}

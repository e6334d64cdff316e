//! Answering a server's questions with the password (keyboard-interactive, RFC 4256): one question, once. A server that asks again
//! takes the answer for wrong, or wants something that no Secret has: a code, or a new password.

use russh::client::{Handle, KeyboardInteractiveAuthResponse, Prompt};

use super::{
    credentials::Credentials,
    errors::{Place, said},
    host_key::Verifier,
    tries::{Step, Tries},
};
use crate::ports::SourceError;

/// What a server may send at most: what it says without asking is answered with nothing.
const MAX_ROUNDS: usize = 10;

/// Answers; how that ended, and whether the server had the password.
pub async fn answer(
    place: &Place,
    ssh: &mut Handle<Verifier>,
    credentials: &Credentials,
    tries: &mut Tries,
) -> Result<(Step, bool), SourceError> {
    let mut password = credentials.password.as_deref();
    let sent = |password: Option<&str>| password.is_none();
    tries.name("keyboard-interactive");
    let mut response = ssh.authenticate_keyboard_interactive_start(&credentials.username, None).await;
    for _ in 0..MAX_ROUNDS {
        match response {
            Ok(KeyboardInteractiveAuthResponse::Success) => return Ok((Step::Done, sent(password))),
            Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success }) => {
                return Ok((Step::failure(remaining_methods, partial_success), sent(password)));
            }
            Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => {
                let answers = answers(place, &prompts, &mut password)?;
                response = ssh.authenticate_keyboard_interactive_respond(answers).await;
            }
            Err(_) => return Ok((Step::Ended, sent(password))),
        }
    }
    Err(SourceError::Denied(format!(
        "{}: the server talks without an end instead of letting the account in. Ask whoever runs the server.",
        place.location()
    )))
}

/// The password for the one question whose answer is not shown. Any other is not ours to answer.
fn answers(place: &Place, prompts: &[Prompt], password: &mut Option<&str>) -> Result<Vec<String>, SourceError> {
    match (prompts, password.take()) {
        ([], unused) => {
            *password = unused;
            Ok(Vec::new())
        }
        ([one], Some(password)) if !one.echo => Ok(vec![password.to_owned()]),
        ([one], None) => Err(SourceError::Denied(format!(
            "{}: the login was refused: the server asks again{} when it has the password. It is wrong, or has expired, or the \
             account needs a code besides. Check the Secret of source.sftp.credentials; or have the server accept a key for this \
             account.",
            place.location(),
            said(&one.prompt)
        ))),
        ([one, ..], _) => Err(SourceError::Denied(format!(
            "{}: the server asks a question{} that has no answer in the Secret. Have it accept a key or a password for this \
             account.",
            place.location(),
            said(&one.prompt)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_is_answered_once_and_no_other() {
        let place = Place::anywhere();
        let hidden = |text: &str| Prompt { prompt: text.to_owned(), echo: false };
        let shown = Prompt { prompt: "Code: ".to_owned(), echo: true };
        let mut password = Some("secret");
        assert_eq!(answers(&place, &[], &mut password), Ok(vec![]));
        assert_eq!(answers(&place, &[hidden("Password: ")], &mut password), Ok(vec!["secret".to_owned()]));
        // What PAM says when all is well.
        assert_eq!(answers(&place, &[], &mut password), Ok(vec![]));
        let again = answers(&place, &[hidden("Password: ")], &mut password).unwrap_err().to_string();
        assert!(again.contains("asks again (\"Password:\")") && !again.contains("secret"), "{again}");
        let two = [hidden("New password: "), hidden("Retype new password: ")];
        for prompts in [&[shown][..], &two] {
            let refused = answers(&place, prompts, &mut Some("secret")).unwrap_err().to_string();
            assert!(refused.contains("has no answer in the Secret"), "{refused}");
        }
    }
}

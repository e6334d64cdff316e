//! Wrong passwords: each goes out once, whatever the server does with it. Servers count them, and lock the account.

use std::{
    borrow::Cow,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use russh::{
    MethodKind, MethodSet,
    keys::{Algorithm, PrivateKey, key::safe_rng},
    server::{Auth, Config, Handler, Response, run_stream},
};
use tokio::net::TcpListener;
use usersync::{
    model::{job::SftpJob, secret::Secret},
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    odd::Odd,
    says,
    support::sshd::{Account, Sshd},
};

const WRONG: &str = "wr0ng";

async fn refused(job: SftpJob) -> SourceError {
    let error = Sftp::new(job, &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    assert!(!error.to_string().contains(WRONG), "{error}");
    error
}

#[tokio::test]
async fn openssh_counts_one_wrong_password() {
    let account = Account::new();
    let (both, questions) =
        ("PasswordAuthentication yes\nKbdInteractiveAuthentication yes", "KbdInteractiveAuthentication yes");
    let cases = [
        (both, false),
        (both, true),
        ("PasswordAuthentication yes\nUsePAM no", true),
        (questions, false),
        (questions, true),
        ("PasswordAuthentication yes\nKbdInteractiveAuthentication yes\nMaxAuthTries 1", true),
        ("KbdInteractiveAuthentication yes\nMaxAuthTries 1", false),
        ("PasswordAuthentication yes\nKbdInteractiveAuthentication yes\nMaxAuthTries 2", true),
    ];
    let other = Sshd::start("");
    for (config, with_key) in cases {
        let sshd = Sshd::start(&format!("{config}\nUsePAM yes"));
        let key = with_key.then(|| other.new_key(&account.name, &["-t", "ed25519"], ""));
        let wrong = Some(Secret::new(WRONG));
        let error = refused(SftpJob { password: wrong, private_key: key, ..sshd.job(&account.name) }).await;
        says(&error, &["the login was refused", "source.sftp.credentials"]);
        // The right one gets in by the same ways; by then the wrong one is in the log.
        let right = Some(Secret::new(&account.password));
        let job = SftpJob { password: right, ..sshd.job(&account.name) };
        assert_eq!(Sftp::new(job, &Servers::default()).list().await, Ok(vec![]), "{config}");
        let deadline = Instant::now() + Duration::from_secs(120);
        while sshd.wrong_passwords() == 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(sshd.wrong_passwords(), 1, "{config}, key: {with_key}");
    }
}

/// What a server does with a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Says that it is wrong.
    Fails,
    /// Says so, and takes no more of them.
    FailsAndOffersQuestions,
    /// Says so, and takes nothing more.
    FailsForGood,
    /// Ends the connection without a word.
    Closes,
    /// Asks the same question again.
    AsksAgain,
    /// Has the password changed.
    WantsANewOne,
    /// Asks again, and repeats what it got.
    Repeats,
}

/// A server that lets nobody in, and counts passwords.
#[derive(Clone)]
struct Porter {
    way: Way,
    /// What it takes, first and for ever.
    takes: &'static [MethodKind],
    passwords: Arc<AtomicUsize>,
}

impl Porter {
    fn judge(&self, password: &[u8]) -> Result<Auth, russh::Error> {
        assert_eq!(password, WRONG.as_bytes());
        self.passwords.fetch_add(1, Ordering::Relaxed);
        let left = |left: &[MethodKind]| Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(left)),
            partial_success: false,
        };
        match self.way {
            Way::Fails => Ok(left(self.takes)),
            Way::FailsAndOffersQuestions => Ok(left(&[MethodKind::KeyboardInteractive])),
            Way::FailsForGood => Ok(left(&[])),
            Way::Closes => Err(russh::Error::Disconnect),
            Way::AsksAgain => Ok(asks(&["Password: "])),
            Way::Repeats => Ok(asks(&["wr0ng is wrong. Password: "])),
            Way::WantsANewOne => Ok(asks(&["New password: ", "Retype new password: "])),
        }
    }

    async fn job(self) -> SftpJob {
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let host_keys = vec![key.public_key().to_openssh().unwrap()];
        let no_time = Duration::from_millis(1);
        let methods = MethodSet::from(self.takes);
        let config = Config { keys: vec![key], methods, auth_rejection_time: no_time, ..Config::default() };
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(running) = run_stream(config.clone(), stream, self.clone()).await {
                    tokio::spawn(running);
                }
            }
        });
        SftpJob { port, host_keys, password: Some(Secret::new(WRONG)), ..Odd::default().job().await }
    }
}

fn asks(questions: &[&'static str]) -> Auth {
    let prompts = questions.iter().map(|question| (Cow::Borrowed(*question), false)).collect::<Vec<_>>();
    Auth::Partial { name: "".into(), instructions: "".into(), prompts: prompts.into() }
}

impl Handler for Porter {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        self.judge(password.as_bytes())
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        match response.map(|mut answers| answers.next().map(|answer| answer.to_vec())) {
            None => Ok(asks(&["Password: "])),
            Some(answer) => self.judge(&answer.unwrap_or_default()),
        }
    }
}

#[tokio::test]
async fn a_wrong_password_goes_out_once_whatever_becomes_of_it() {
    use MethodKind::{KeyboardInteractive as Questions, Password};
    let cases: &[(&'static [MethodKind], Way, &[&str])] = &[
        (&[Password, Questions], Way::Fails, &["Tried: password. The server accepts: password, keyboard-interactive."]),
        (&[Password, Questions], Way::FailsAndOffersQuestions, &["Tried: password."]),
        (&[Password, Questions], Way::FailsForGood, &["Tried: password."]),
        (&[Password, Questions], Way::Closes, &["Tried: password.", "closed the connection when it had the password."]),
        (&[Questions], Way::Fails, &["Tried: keyboard-interactive."]),
        (&[Questions], Way::FailsForGood, &["Tried: keyboard-interactive."]),
        (&[Questions], Way::Closes, &["closed the connection when it had the password."]),
        (&[Questions], Way::AsksAgain, &["asks again (\"Password:\") when it has the password"]),
        (&[Questions], Way::Repeats, &["asks again (\"… is wrong. Password:\")"]),
        (&[Questions], Way::WantsANewOne, &["asks a question (\"New password:\")", "no answer in the Secret"]),
    ];
    for (takes, way, parts) in cases {
        let passwords = Arc::new(AtomicUsize::new(0));
        let job = Porter { way: *way, takes, passwords: passwords.clone() }.job().await;
        // The key, which nobody knows, gets a connection of its own.
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let key = key.to_openssh(Default::default()).unwrap();
        for private_key in [None, Some(Secret::new(key.to_string()))] {
            passwords.store(0, Ordering::Relaxed);
            says(&refused(SftpJob { private_key, ..job.clone() }).await, parts);
            assert_eq!(passwords.load(Ordering::Relaxed), 1, "{way:?}, {takes:?}");
        }
    }
}

//! Every code at every step.

use super::{encrypted::encrypted, *};

const CODES: [u16; 17] = [421, 425, 426, 450, 451, 452, 500, 501, 502, 503, 530, 532, 534, 550, 551, 552, 553];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    List,
    Stat,
    Fetch,
    Move,
    Delete,
}

const STEPS: [(&str, Does); 21] = [
    ("greeting", Does::List),
    ("AUTH", Does::List),
    ("USER", Does::List),
    ("PASS", Does::List),
    ("PBSZ", Does::List),
    ("PROT", Does::List),
    ("TYPE", Does::List),
    ("CWD", Does::List),
    ("EPSV", Does::List),
    ("PASV", Does::List),
    ("MLSD", Does::List),
    ("LIST", Does::List),
    ("LIST's end", Does::List),
    ("SIZE", Does::Stat),
    ("MDTM", Does::Stat),
    ("RETR", Does::Fetch),
    ("RETR's end", Does::Fetch),
    ("RNFR", Does::Move),
    ("RNTO", Does::Move),
    ("MKD", Does::Move),
    ("DELE", Does::Delete),
];

async fn does(source: &Ftp, does: Does) -> Result<(), SourceError> {
    match does {
        Does::List => source.list().await.map(drop),
        Does::Stat => source.stat("users.csv").await.map(drop),
        Does::Fetch => fetch(source, 0).await.map(drop),
        Does::Move => source.rename("users.csv", "bak/users.csv").await,
        Does::Delete => source.delete("users.csv").await,
    }
}

/// What the code means at this step: whether it is tried again (`Unreachable`) or waits for somebody, or nothing fails at all.
fn kind(step: &str, code: u16) -> &'static str {
    match (step, code) {
        // Everything had come; the login is not used again.
        ("RETR's end", 421) => "Ok",
        (_, 421) | ("greeting", _) => "Unreachable",
        // There is another way to ask for it.
        ("EPSV", _) | ("MLSD" | "SIZE" | "MDTM", 500..=502) => "Ok",
        // There is no such file.
        ("SIZE" | "MDTM", 550 | 551 | 553) => "Ok",
        ("AUTH" | "USER" | "PASS" | "PBSZ" | "PROT" | "PASV", 500..) => "Denied",
        ("CWD" | "MLSD" | "LIST" | "LIST's end", 550 | 551) => "FolderMissing",
        ("TYPE", 550..) => "Unreachable",
        (_, 530..=534 | 550 | 551 | 553) => "Denied",
        _ => "Unreachable",
    }
}

/// What people are told to do.
const ADVICE: [&str; 10] = [
    "It is tried again",
    "it is tried again",
    "Ask ",
    "Have ",
    "Check ",
    "Write ",
    "allow the account",
    "Make it there",
    "Make room",
    "correct ",
];

/// A server that says so at this step, and a job for it.
async fn server(step: &str, verb: &'static str, said: &'static str) -> (Scripted, FtpJob) {
    let act = match (step, verb) {
        ("LIST's end", _) => Send(LISTING.to_vec(), said),
        ("RETR's end", _) => Send(CONTENT.to_vec(), said),
        ("AUTH", _) => Late(Duration::ZERO, said),
        _ => Say(said),
    };
    let mut script = vec![(verb, act)];
    script.extend(match step {
        "MLSD" => vec![("FEAT", Say("211-Features:\r\n MLST type*;size*;modify*;\r\n MDTM\r\n SIZE\r\n211 End\r\n"))],
        "RNTO" => vec![("RNFR", Say("350 Ready.\r\n")), ("CWD bak/", Say("550 Thus.\r\n"))],
        "MKD" => {
            vec![("RNFR", Say("350 Ready.\r\n")), ("RNTO", Say("550 Thus.\r\n")), ("CWD bak", Say("550 Thus.\r\n"))]
        }
        _ => vec![],
    });
    let server = match step {
        "AUTH" | "PBSZ" | "PROT" => return encrypted(&script, &[]).await,
        "greeting" => Scripted::start(said.as_bytes().to_vec(), &[]).await,
        _ => Scripted::with(&script).await,
    };
    let job = server.job();
    (server, job)
}

async fn every_code_at(step: &str, what: Does) {
    let verb: &'static str =
        STEPS.iter().find_map(|(name, _)| name.split('\'').next().filter(|verb| step.starts_with(verb))).unwrap();
    for code in CODES {
        let (_server, job) = server(step, verb, format!("{code} Thus.\r\n").leak()).await;
        let source = Ftp::new(job, &Servers::default());
        let ended = tokio::time::timeout(Duration::from_secs(60), does(&source, what)).await.expect("it hangs");
        let Err(error) = ended else {
            assert_eq!(kind(step, code), "Ok", "{step} {code}");
            continue;
        };
        let (said, text) = (format!("{error:?}"), error.to_string());
        let case = format!("{step} {code}: {said}");
        assert_eq!(said.split('(').next().unwrap(), kind(step, code), "{case}");
        let answers = match step {
            "greeting" => "turns connections away (\"".to_owned(),
            "USER" | "PASS" => "to the login)".to_owned(),
            "AUTH" => "to AUTH TLS)".to_owned(),
            "PBSZ" | "PROT" => "to PBSZ 0 or PROT P)".to_owned(),
            _ => format!(" to {verb})"),
        };
        assert!(text.contains(&answers) && text.contains(&format!("(\"{code} Thus.\"")), "{case}");
        assert!(ADVICE.iter().any(|advice| text.contains(advice)), "{case}");
        assert!(!text.contains("geheim"), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_at_every_step() {
    futures::future::join_all(STEPS.map(|(step, what)| every_code_at(step, what))).await;
}

//! A mail server that does what a test tells it: for faults that a real one shows only in bad times.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// What a client has just done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is there: the number of the connection, from 1.
    Connected(usize),
    /// A command, whole: `RCPT TO:<a@example.com>`, or what came after `AUTH LOGIN`.
    Command(String),
    /// A whole mail was sent, which is not answered yet.
    Mail(Vec<u8>),
}

/// What the server does about it.
#[derive(Clone, Debug)]
pub enum Does {
    /// What a server does that takes everything.
    Usual,
    /// Says this line instead.
    Says(&'static str),
    /// Closes the connection.
    Hangs,
    /// Says nothing for so long, and then the usual.
    Sleeps(Duration),
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub mail: Vec<u8>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    heard: Vec<Heard>,
    taken: Vec<Taken>,
}

type Rule = Arc<dyn Fn(&Heard) -> Does + Send + Sync>;

/// A running server; its threads end with the process.
pub struct Smtp {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    rule: Arc<Mutex<Rule>>,
}

impl Smtp {
    /// A server that reacts by this rule. It takes any login.
    pub fn start(rule: impl Fn(&Heard) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, rule) = (Arc::new(Mutex::new(Seen::default())), Arc::new(Mutex::new(Arc::new(rule) as Rule)));
        let shared = (seen.clone(), rule.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, rule) = shared.clone();
                thread::spawn(move || {
                    let _ = serve(&stream, &seen, &rule);
                });
            }
        });
        Self { address, seen, rule }
    }

    /// From now on it reacts by this rule.
    pub fn now(&self, rule: impl Fn(&Heard) -> Does + Send + Sync + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rule);
    }

    /// The mails that it took, in order.
    pub fn taken(&self) -> Vec<Taken> {
        seen(&self.seen).taken.clone()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        seen(&self.seen).connections
    }

    /// The commands that it heard.
    pub fn commands(&self) -> Vec<String> {
        let heard = |heard: &Heard| if let Heard::Command(command) = heard { Some(command.clone()) } else { None };
        seen(&self.seen).heard.iter().filter_map(heard).collect()
    }

    /// `smtp://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }
}

fn seen(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, to its end. None: it was closed.
fn serve(stream: &TcpStream, all: &Mutex<Seen>, rule: &Mutex<Rule>) -> Option<()> {
    let mut lines = BufReader::new(stream);
    let number = {
        let mut all = seen(all);
        all.connections += 1;
        all.connections
    };
    // Says what is usual, unless the rule wants something else; whether it was the usual.
    let react = |heard: Heard, usual: &str| -> Option<bool> {
        seen(all).heard.push(heard.clone());
        let rule = rule.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (line, as_usual) = match rule(&heard) {
            Does::Usual => (usual, true),
            Does::Says(line) => (line, false),
            Does::Hangs => return None,
            Does::Sleeps(time) => {
                thread::sleep(time);
                (usual, true)
            }
        };
        let mut stream = stream;
        stream.write_all(line.as_bytes()).ok()?;
        stream.write_all(b"\r\n").ok()?;
        Some(as_usual)
    };
    react(Heard::Connected(number), "220 scripted.example.com ESMTP")?;
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let command = line(&mut lines)?;
        let word = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let heard = Heard::Command(command.clone());
        match word.as_str() {
            "EHLO" => {
                react(heard, "250-scripted.example.com\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n250 SMTPUTF8")?;
            }
            "AUTH" => {
                react(heard, "235 2.7.0 welcome")?;
            }
            "MAIL" => {
                if react(heard, "250 2.1.0 fine")? {
                    (from, to) = (angled(&command), Vec::new());
                }
            }
            "RCPT" => {
                if react(heard, "250 2.1.5 fine")? {
                    to.push(angled(&command));
                }
            }
            "RSET" => {
                react(heard, "250 2.0.0 fine")?;
            }
            "DATA" => {
                if !react(heard, "354 go on")? {
                    continue;
                }
                let mail = mail(&mut lines)?;
                if react(Heard::Mail(mail.clone()), "250 2.0.0 taken")? {
                    seen(all).taken.push(Taken { from: from.clone(), to: to.clone(), mail });
                }
            }
            "QUIT" => {
                react(heard, "221 2.0.0 bye")?;
                return Some(());
            }
            _ => {
                react(heard, "500 5.5.2 what?")?;
            }
        }
    }
}

fn line(lines: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    let read = lines.read_until(b'\n', &mut line).ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// The mail up to the lonely dot, without the dots that transport adds.
fn mail(lines: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(mail);
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

fn angled(command: &str) -> String {
    let from = command.find('<').map_or(0, |at| at + 1);
    command[from..].split('>').next().unwrap_or_default().to_owned()
}

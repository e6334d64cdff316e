//! A line that fails at every place, one after the other: the source says so in its own terms, loses nothing, and goes on over
//! the repaired line.

use std::{fs, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use usersync::{
    model::{
        file::Stamp,
        job::{FtpJob, SourceJob, SourceTimeouts},
    },
    ports::{Source, SourceError},
};

use crate::{
    link::{Fault, Link, Place},
    noise,
    support::ftpd::{Brand, Ftpd, Protocol, Setup, open},
};

/// How long a source waits for a line that may be silent: what each such line costs. On a busy machine it takes longer ones to
/// get so far at all.
const PATIENCE: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30)];

fn timeouts(patience: Duration) -> SourceTimeouts {
    SourceTimeouts { connect: patience, login: patience, first_byte: patience, stall: patience }
}

/// So many places are tried at once: servers have limits.
const AT_ONCE: usize = 6;
/// More messages than any errand takes.
const MESSAGES: usize = 120;

/// Everything that a run wants of a source.
async fn errand(source: &dyn Source, content: &[u8]) -> Result<(), SourceError> {
    let listed = source.list().await?;
    let file = listed.iter().find(|listed| listed.name == "users.csv");
    let file = Stamp::from(file.unwrap_or_else(|| panic!("{}: the file is not in {listed:?}", source.location())));
    let mut fetched = Vec::new();
    source.fetch(&file, 0, &mut fetched, &|_| {}).await?;
    assert!(fetched == content, "{} bytes instead of {}", fetched.len(), content.len());
    source.rename("users.csv", "bak/users.csv").await
}

/// A folder with a file on the server, and a line to it.
struct Scene<'a> {
    server: &'a Ftpd,
    folder: String,
    content: &'a [u8],
    link: Link,
}

impl<'a> Scene<'a> {
    async fn new(server: &'a Ftpd, number: u8, content: &'a [u8]) -> Self {
        let link = Link::new(server, 1, number).await;
        let folder = number.to_string();
        server.make_folder(&folder);
        server.put(&format!("{folder}/users.csv"), content);
        Self { server, folder, content, link }
    }

    fn source(&self, patience: Duration) -> Arc<dyn Source> {
        open(job(self.server, &self.link, &self.folder, timeouts(patience)))
    }

    /// The file is on the server, once, byte for byte. Whether it was moved.
    fn moved(&self) -> bool {
        let folder = self.server.outbox().join(&self.folder);
        let here = fs::read(folder.join("users.csv")).ok();
        let there = fs::read(folder.join("bak/users.csv")).ok();
        assert!(here.is_some() != there.is_some(), "{:?}: here or there", self.folder);
        assert!(here.as_ref().or(there.as_ref()).unwrap() == self.content, "{:?}: its content", self.folder);
        there.is_some()
    }

    /// The errand with this fault, and again without. False: the errand was done before it came to that.
    async fn try_with(&self, place: Place, fault: Fault) -> bool {
        let patient = self.source(Duration::from_secs(120));
        let mut ended = Ok(());
        let first = if fault == Fault::Stall { 0 } else { 2 };
        for patience in &PATIENCE[first..] {
            match self.server.setup.protocol {
                // A connection that ends twice within the login is taken for a refusal.
                Protocol::Sftp => self.link.fail_once(place, fault),
                _ => self.link.fail(place, fault),
            }
            let hasty = self.source(*patience);
            ended = errand(if fault == Fault::Stall { &*hasty } else { &*patient }, self.content).await;
            if ended.is_ok() || self.link.reached() {
                break;
            }
        }
        if !self.link.reached() {
            ended.unwrap_or_else(|error| panic!("{place:?}, not reached: {error}"));
            return false;
        }
        let moved = self.moved();
        if let Err(error) = &ended {
            let text = error.to_string();
            assert!(matches!(error, SourceError::Unreachable(_)), "{fault:?} at {place:?}: {error:?}");
            assert!(
                text.contains(&self.link.address.to_string()) && text.ends_with('.'),
                "{fault:?} at {place:?}: {text}"
            );
            // Which of them ran out, and how to have it run longer; or that it goes on by itself.
            let parts: &[&str] = match fault {
                Fault::Stall => &["source.timeouts."],
                Fault::Cut | Fault::End | Fault::CutControl => &["again", "goes on", "Check source.", "firewall"],
            };
            assert!(parts.iter().any(|part| text.contains(part)), "{fault:?} at {place:?}: {text}");
        }
        self.link.repair();
        if moved {
            // The answer was lost, the move was not.
            let names = patient.list().await.unwrap_or_else(|error| panic!("after {fault:?} at {place:?}: {error}"));
            assert!(names.iter().all(|listed| listed.name != "users.csv"));
        } else {
            let again = errand(&*patient, self.content).await;
            again.unwrap_or_else(|error| panic!("after {fault:?} at {place:?}: {error}"));
            assert!(self.moved());
        }
        true
    }
}

/// The folder's job by way of the line.
fn job(server: &Ftpd, link: &Link, folder: &str, timeouts: SourceTimeouts) -> SourceJob {
    let path = format!("{}/{folder}", server.path());
    if server.setup.protocol == Protocol::Sftp {
        let mut job = server.sftp_job();
        (job.host, job.path, job.timeouts) = (link.address.to_string(), path, timeouts);
        return SourceJob::Sftp(Box::new(job));
    }
    SourceJob::Ftp(Box::new(FtpJob { host: link.address.to_string(), path, timeouts, ..server.job() }))
}

/// Fails at each message of the control connection in turn.
async fn at_each_message(brand: Brand, protocol: Protocol, fault: Fault, step: usize) {
    let server = Ftpd::start(brand, Setup { protocol, session_reuse: brand != Brand::PureFtpd, ..Setup::default() });
    let content = noise(40_000);
    let places = (0..MESSAGES).step_by(step).flat_map(|at| [Place::Reply(at), Place::Request(at + 1)]);
    let tried = stream::iter(places.zip(1_u8..).map(|(place, number)| {
        let (server, content) = (&server, &content);
        async move { Scene::new(server, number, content).await.try_with(place, fault).await }
    }));
    // In order. Not every place is one: not every message is answered by one of its own, and who encrypts speaks first. After
    // a few that were none, the errand has been longer than it is.
    let mut none = 0;
    let few = tried.buffered(AT_ONCE).take_while(|&reached| {
        none = if reached { 0 } else { none + 1 };
        std::future::ready(none < 8)
    });
    let reached = few.filter(|&reached| std::future::ready(reached)).count().await;
    assert!(reached >= 16 / step, "the errand had only {reached} places to fail at");
}

/// Fails at the beginning, within and near the end of what comes over data connections: the listing and the file.
async fn at_each_data_connection(brand: Brand, protocol: Protocol, fault: Fault) {
    let server = Ftpd::start(brand, Setup { protocol, session_reuse: brand != Brand::PureFtpd, ..Setup::default() });
    let content = noise(400_000);
    let places =
        [(0, 0), (0, 20), (1, 0), (1, 1), (1, 150_000), (1, 399_999)].map(|(at, after)| Place::Data(at, after));
    // A listing that ends in good form is whole: nothing says how long it is.
    let places = places.into_iter().filter(|place| fault != Fault::End || *place != Place::Data(0, 0));
    let tried = stream::iter(places.zip(1_u8..).map(|(place, number)| {
        let (server, content) = (&server, &content);
        async move {
            assert!(
                Scene::new(server, number, content).await.try_with(place, fault).await,
                "{place:?} was not reached"
            );
        }
    }));
    tried.buffered(AT_ONCE).collect::<Vec<()>>().await;
}

macro_rules! messages {
    ($($name:ident: $brand:ident by $protocol:ident, $fault:ident, every $step:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            at_each_message(Brand::$brand, Protocol::$protocol, Fault::$fault, $step).await;
        })*
    };
}

messages! {
    vsftpd_cut_at_each_message: Vsftpd by Ftp, Cut, every 1;
    vsftpd_silent_at_each_message: Vsftpd by Ftp, Stall, every 2;
    vsftpd_cut_at_each_encrypted_message: Vsftpd by Explicit, Cut, every 1;
    proftpd_silent_at_each_encrypted_message: ProFtpd by Explicit, Stall, every 2;
    proftpd_cut_at_each_message_after_tls: ProFtpd by Implicit, Cut, every 1;
    pureftpd_cut_at_each_message: PureFtpd by Ftp, Cut, every 1;
    openssh_cut_at_each_message: OpenSsh by Sftp, Cut, every 2;
    openssh_silent_at_each_message: OpenSsh by Sftp, Stall, every 3;
}

macro_rules! data {
    ($($name:ident: $brand:ident by $protocol:ident, $fault:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            at_each_data_connection(Brand::$brand, Protocol::$protocol, Fault::$fault).await;
        })*
    };
}

data! {
    vsftpd_data_cut: Vsftpd by Ftp, Cut;
    vsftpd_data_ends_early: Vsftpd by Ftp, End;
    proftpd_data_ends_early: ProFtpd by Implicit, End;
    vsftpd_data_silent: Vsftpd by Explicit, Stall;
    vsftpd_control_cut_during_data: Vsftpd by Explicit, CutControl;
    proftpd_data_cut: ProFtpd by Explicit, Cut;
    proftpd_data_silent: ProFtpd by Ftp, Stall;
    proftpd_control_cut_during_data: ProFtpd by Ftp, CutControl;
    pureftpd_data_cut: PureFtpd by Explicit, Cut;
    pureftpd_control_cut_during_data: PureFtpd by Ftp, CutControl;
}

/// Time for each answer, much less than all of them take together.
const FOR_EACH: SourceTimeouts = SourceTimeouts {
    connect: PATIENCE[2],
    login: PATIENCE[2],
    first_byte: Duration::from_secs(4),
    stall: Duration::from_secs(4),
};

/// 10 kB each second is slow, and no stall: the whole takes longer than the time-out, no part of it does.
#[tokio::test]
async fn slow_is_not_silent() {
    let server = Ftpd::start(Brand::Vsftpd, Setup::default());
    let content = noise(60_000);
    server.make_folder("slow");
    server.put("slow/users.csv", &content);
    let link = Link::slow(&server, 1, 10_000).await;
    errand(&*open(job(&server, &link, "slow", FOR_EACH)), &content).await.unwrap();
    assert_eq!(link.logins(), 1);
}

/// Each answer takes its time; all of them together take longer than the time-out for one.
#[tokio::test]
async fn late_is_not_silent() {
    let server = Ftpd::start(Brand::ProFtpd, Setup::default());
    let content = noise(45_000);
    server.make_folder("late");
    server.put("late/users.csv", &content);
    let link = Link::delayed(&server, 1, Duration::from_millis(300)).await;
    errand(&*open(job(&server, &link, "late", FOR_EACH)), &content).await.unwrap();
    assert_eq!(link.logins(), 1);
}

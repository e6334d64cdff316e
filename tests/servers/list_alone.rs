//! A server that knows LIST and nothing newer. No real one of today can be made so old: this one plays it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use usersync::{
    api::{FtpTls, Mode},
    engine::sight,
    model::{
        job::{After, FtpJob, FtpLogin, SourceJob},
        reason::Reason,
        secret::Secret,
    },
};

use crate::{
    runs,
    support::{
        bench::{Bench, Silent},
        ftpd::{NAME, TIMEOUTS},
    },
};

/// One file: what LIST says of its time, and what is in it.
type File = Arc<Mutex<(String, Vec<u8>)>>;

struct Server {
    address: SocketAddr,
    file: File,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(time: &str, content: &[u8]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let file: File = Arc::new(Mutex::new((time.to_owned(), content.to_vec())));
        let served = file.clone();
        let task = tokio::spawn(async move {
            while let Ok((control, _)) = listener.accept().await {
                tokio::spawn(serve(control, served.clone()));
            }
        });
        Self { address, file, task }
    }

    fn becomes(&self, time: &str, content: &[u8]) {
        *self.file.lock().unwrap() = (time.to_owned(), content.to_vec());
    }

    fn job(&self) -> SourceJob {
        SourceJob::Ftp(Box::new(FtpJob {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            path: String::new(),
            tls: FtpTls::None,
            login: Some(FtpLogin { username: "hr".to_owned(), password: Secret::new("any") }),
            ca_bundle: None,
            server_name: NAME.to_owned(),
            timeouts: TIMEOUTS,
        }))
    }
}

async fn serve(control: TcpStream, file: File) -> Option<()> {
    let (from, mut to) = control.into_split();
    let mut lines = BufReader::new(from).lines();
    to.write_all(b"220 Ready.\r\n").await.ok()?;
    let mut passive = None;
    while let Some(line) = lines.next_line().await.ok()? {
        let (time, content) = file.lock().unwrap().clone();
        let sent = match line.split(' ').next().unwrap() {
            "LIST" => format!("-rw-r--r-- 1 0 0 {} {time} users.csv\r\n", content.len()).into_bytes(),
            "RETR" => content,
            command => {
                let said = match command {
                    "USER" => "331 Password?".to_owned(),
                    "PASS" => "230 Welcome.".to_owned(),
                    "TYPE" | "NOOP" => "200 Good.".to_owned(),
                    "PASV" => {
                        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
                        let [high, low] = listener.local_addr().ok()?.port().to_be_bytes();
                        passive = Some(listener);
                        format!("227 Passive (127,0,0,1,{high},{low}).")
                    }
                    _ => "500 What?".to_owned(),
                };
                to.write_all(format!("{said}\r\n").as_bytes()).await.ok()?;
                continue;
            }
        };
        let (mut data, _) = passive.take()?.accept().await.ok()?;
        to.write_all(b"150 Here it comes.\r\n").await.ok()?;
        data.write_all(&sent).await.ok()?;
        drop(data);
        to.write_all(b"226 Done.\r\n").await.ok()?;
    }
    Some(())
}

/// The size of the file that a scheduled run would take.
async fn due(bench: &Bench) -> Option<u64> {
    let ports = bench.ports(Mode::Import, Arc::new(Silent)).await;
    let (source, store) = (ports.source, ports.store);
    sight(&bench.sync, &*source, async || store, &[]).await.unwrap().map(|candidate| candidate.file.size)
}

/// After about six months `ls` says the year instead of the hour: the file is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_stays_is_not_imported_again_when_its_time_becomes_a_day() {
    let written = (Timestamp::now() - SignedDuration::from_hours(24 * 182)).to_zoned(TimeZone::UTC);
    let (recent, old) = (written.strftime("%b %e 13:02").to_string(), written.strftime("%b %e  %Y").to_string());
    let content = runs::csv(20);
    let server = Server::start(&recent, &content).await;
    let mut bench = runs::bench_of(server.job()).await;
    bench.sync.take.after_import = After::Keep;
    let ended = bench.run(Mode::Import).await;
    assert_eq!((ended.report.reason, runs::users(&bench).await), (Reason::Completed, 20), "{:?}", ended.report);
    assert_eq!(due(&bench).await, None);
    server.becomes(&old, &content);
    assert_eq!(due(&bench).await, None, "{recent} became {old}");
    // Another file of the same name is another file: by its size, or by its day.
    let other = runs::csv(21);
    server.becomes(&old, &other);
    assert_eq!(due(&bench).await, Some(other.len() as u64));
    let next = written.tomorrow().unwrap().strftime("%b %e  %Y").to_string();
    server.becomes(&next, &content);
    assert_eq!(due(&bench).await, Some(content.len() as u64));
}

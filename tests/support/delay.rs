//! A TCP proxy that makes a line long, holds it at a chosen byte, or cuts it.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

/// Where the line is held.
#[derive(Clone, Copy, Default)]
struct Hold {
    /// Bytes from the server that pass, counted over all connections.
    after: Option<u64>,
    /// Whether that many have passed.
    reached: bool,
}

/// Listens on a free port of loopback and forwards to another; ends with its drop.
pub struct Proxy {
    pub port: u16,
    hold: Arc<watch::Sender<Hold>>,
    passed: Arc<watch::Sender<u64>>,
    /// Times that it is to be cut, and times that it was.
    cuts: Arc<watch::Sender<(u64, u64)>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Each way takes `one_way`; the bandwidth has no limit.
    pub async fn start(target: u16, one_way: Duration) -> Self {
        Self::listening(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), target, one_way)
    }

    /// The same on another address of loopback, under the target's own port: for servers that name further ports.
    pub async fn at(address: Ipv4Addr, target: u16, one_way: Duration) -> Self {
        Self::listening(TcpListener::bind((address, target)).await.unwrap(), target, one_way)
    }

    fn listening(listener: TcpListener, target: u16, one_way: Duration) -> Self {
        let port = listener.local_addr().unwrap().port();
        let hold = Arc::new(watch::Sender::new(Hold::default()));
        let passed = Arc::new(watch::Sender::new(0));
        let cuts = Arc::new(watch::Sender::new((0, 0)));
        let (held, counted, cutting) = (hold.clone(), passed.clone(), cuts.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let mut cut = cutting.subscribe();
            loop {
                let client = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = asked(&mut cut) => {
                        connections.shutdown().await;
                        cutting.send_modify(|(asked, done)| *done = *asked);
                        continue;
                    }
                };
                // A target that is gone: the client sees its connection closed.
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                connections.spawn(forward(from_client, to_server, one_way, None));
                connections.spawn(forward(from_server, to_client, one_way, Some((held.clone(), counted.clone()))));
            }
        });
        Self { port, hold, passed, cuts, task }
    }

    /// Holds back what the server sends once `bytes` more have passed.
    pub fn hold_after(&self, bytes: u64) {
        let after = *self.passed.borrow() + bytes;
        self.hold.send_replace(Hold { after: Some(after), reached: false });
    }

    /// Waits until the line is held.
    pub async fn held(&self) {
        let mut hold = self.hold.subscribe();
        let reached = tokio::time::timeout(Duration::from_secs(120), hold.wait_for(|hold| hold.reached));
        reached.await.expect("that many bytes pass within 120 s").unwrap();
    }

    /// Breaks every connection off; none is left afterwards.
    pub async fn cut(&self) {
        let mut cut = self.cuts.subscribe();
        self.cuts.send_modify(|(asked, _)| *asked += 1);
        cut.wait_for(|(asked, done)| asked == done).await.unwrap();
    }

    /// Bytes from the server that have passed.
    pub fn passed(&self) -> u64 {
        *self.passed.borrow()
    }

    /// Lets everything pass again.
    pub fn release(&self) {
        self.hold.send_replace(Hold::default());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until the line is to be cut.
async fn asked(cut: &mut watch::Receiver<(u64, u64)>) {
    cut.wait_for(|(asked, done)| asked > done).await.map(drop).unwrap();
}

type Gate = (Arc<watch::Sender<Hold>>, Arc<watch::Sender<u64>>);

async fn forward(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin,
    one_way: Duration,
    gate: Option<Gate>,
) {
    // Wide enough for what is under way on a long line.
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    let _reading = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now() + one_way, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    }));
    while let Some((due, bytes)) = under_way.recv().await {
        tokio::time::sleep_until(due).await;
        if let Some((hold, passed)) = &gate {
            let so_far = *passed.borrow();
            wait(hold, so_far).await;
            passed.send_modify(|passed| *passed += bytes.len() as u64);
        }
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// Waits as long as the line is held at this byte.
async fn wait(hold: &watch::Sender<Hold>, passed: u64) {
    let mut changes = hold.subscribe();
    loop {
        let now = *changes.borrow_and_update();
        if now.after.is_none_or(|after| passed < after) {
            return;
        }
        if !now.reached {
            hold.send_modify(|hold| hold.reached = true);
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

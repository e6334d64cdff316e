//! A line between a source and its server that fails where it is told to. It carries the server's control port and every port
//! that it offers for data, on another address of loopback under the same numbers, and reads nothing: what is encrypted stays so.
//! (A source goes to the control connection's address for data, whatever a server says.)

use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

use crate::support::ftpd::Ftpd;

/// Where the line fails. Messages of a control connection are counted by what the client sends: the greeting is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before this message of the client gets to the server.
    Request(usize),
    /// Within the server's answer to it.
    Reply(usize),
    /// This data connection of a login, when so many bytes have come.
    Data(usize, u64),
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks.
    Cut,
    /// The connection ends in good form, as if that were all.
    End,
    /// Nothing more comes.
    Stall,
    /// The control connection ends; data goes on.
    CutControl,
}

/// The line. It ends with its drop.
pub struct Link {
    pub address: Ipv4Addr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct State {
    fault: Mutex<Option<(Place, Fault)>>,
    /// Whether it fails no more than once.
    once: AtomicBool,
    reached: AtomicBool,
    /// Data connections since the last login.
    connections: AtomicUsize,
    logins: AtomicUsize,
    /// Bytes of data that came from the server.
    bytes: AtomicU64,
    hang_up: Notify,
    delay: Duration,
    /// Bytes each second; 0: as fast as it goes.
    rate: u64,
}

impl Link {
    /// A line that works, to be reached at 127.0.`third`.`fourth`.
    pub async fn new(server: &Ftpd, third: u8, fourth: u8) -> Self {
        Self::with(server, third, fourth, State::default()).await
    }

    /// A line on which each answer takes so long.
    pub async fn delayed(server: &Ftpd, third: u8, delay: Duration) -> Self {
        Self::with(server, third, 1, State { delay, ..State::default() }).await
    }

    /// A line on which data comes at this rate, in bytes each second.
    pub async fn slow(server: &Ftpd, third: u8, rate: u64) -> Self {
        Self::with(server, third, 1, State { rate, ..State::default() }).await
    }

    async fn with(server: &Ftpd, third: u8, fourth: u8, state: State) -> Self {
        let address = Ipv4Addr::new(127, 0, third, fourth);
        let state = Arc::new(state);
        let mut tasks = JoinSet::new();
        for port in server.passive().chain([server.port()]) {
            let listener = TcpListener::bind((address, port)).await.unwrap();
            tasks.spawn(accept(listener, port, port == server.port(), state.clone()));
        }
        Self { address, state, _tasks: tasks }
    }

    /// From now on every login fails there.
    pub fn fail(&self, place: Place, fault: Fault) {
        *self.state.fault.lock().unwrap() = Some((place, fault));
        self.state.reached.store(false, Ordering::Relaxed);
    }

    /// The next login fails there, and no other.
    pub fn fail_once(&self, place: Place, fault: Fault) {
        self.state.once.store(true, Ordering::Relaxed);
        self.fail(place, fault);
    }

    /// From now on nothing fails.
    pub fn repair(&self) {
        *self.state.fault.lock().unwrap() = None;
    }

    /// Whether it has failed since it was told to.
    pub fn reached(&self) -> bool {
        self.state.reached.load(Ordering::Relaxed)
    }

    /// How many control connections there were.
    pub fn logins(&self) -> usize {
        self.state.logins.load(Ordering::Relaxed)
    }

    /// Bytes of data, encrypted or not, that have come from the server.
    pub fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::Relaxed)
    }
}

impl State {
    /// What happens at this place, if anything does.
    fn at(&self, here: Place) -> Option<Fault> {
        let mut told = self.fault.lock().unwrap();
        let fault = told.filter(|(place, _)| *place == here).map(|(_, fault)| fault)?;
        self.reached.store(true, Ordering::Relaxed);
        if self.once.load(Ordering::Relaxed) {
            *told = None;
        }
        Some(fault)
    }

    /// What happens on this data connection next, and after how many bytes.
    fn data(&self, connection: usize) -> Option<(Place, u64)> {
        match *self.fault.lock().unwrap() {
            Some((place @ Place::Data(number, after), _)) if number == connection => Some((place, after)),
            _ => None,
        }
    }
}

async fn accept(listener: TcpListener, port: u16, control: bool, state: Arc<State>) {
    let mut carried = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        // A server that is gone: the client sees its connection closed.
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { continue };
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let state = state.clone();
        // How a connection ends is each side's own affair.
        if control {
            state.connections.store(0, Ordering::Relaxed);
            state.logins.fetch_add(1, Ordering::Relaxed);
            carried.spawn(async move { drop(carry_control(client, server, &state).await) });
        } else {
            let number = state.connections.fetch_add(1, Ordering::Relaxed);
            carried.spawn(async move { drop(carry_data(client, server, number, &state).await) });
        }
    }
}

async fn carry_control(mut client: TcpStream, mut server: TcpStream, state: &State) -> io::Result<()> {
    let (mut question, mut answer) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut messages = 0;
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let read = read?;
                if read == 0 {
                    return server.shutdown().await;
                }
                messages += 1;
                if let Some(fault) = state.at(Place::Request(messages)) {
                    return fail(fault, &mut client).await;
                }
                server.write_all(&question[..read]).await?;
            }
            read = server.read(&mut answer) => {
                let read = read?;
                if read == 0 {
                    return client.shutdown().await;
                }
                tokio::time::sleep(state.delay).await;
                if let Some(fault) = state.at(Place::Reply(messages)) {
                    client.write_all(&answer[..read / 2]).await?;
                    return fail(fault, &mut client).await;
                }
                client.write_all(&answer[..read]).await?;
            }
            () = state.hang_up.notified() => return Ok(()),
        }
    }
}

async fn carry_data(mut client: TcpStream, mut server: TcpStream, number: usize, state: &State) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let down = async {
        // A slow line is no line that brings much, seldom.
        let mut buffer = vec![0; if state.rate > 0 { 500 } else { 16 << 10 }];
        let mut passed = 0;
        loop {
            let next = state.data(number);
            let left = next.map_or(u64::MAX, |(_, after)| after.saturating_sub(passed));
            if let Some(fault) = next.filter(|_| left == 0).and_then(|(place, _)| state.at(place)) {
                match fault {
                    Fault::Cut => return to_client.as_ref().set_zero_linger(),
                    Fault::End => return to_client.shutdown().await,
                    Fault::Stall => std::future::pending::<()>().await,
                    Fault::CutControl => {
                        state.hang_up.notify_waiters();
                        state.fault.lock().unwrap().take();
                        continue;
                    }
                }
            }
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = from_server.read(&mut buffer[..room]).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            passed += read as u64;
            state.bytes.fetch_add(read as u64, Ordering::Relaxed);
            if let Some(pause) = (read as u64 * 1_000).checked_div(state.rate) {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    tokio::pin!(up, down);
    tokio::select! {
        // The client went away: nobody waits for the rest.
        ended = &mut up => { ended?; down.await }
        ended = &mut down => ended,
    }
}

async fn fail(fault: Fault, client: &mut TcpStream) -> io::Result<()> {
    match fault {
        Fault::Stall => {
            // Until the client gives up. What it still says goes nowhere.
            let mut buffer = [0; 4096];
            while client.read(&mut buffer).await? > 0 {}
            Ok(())
        }
        Fault::Cut => client.set_zero_linger(),
        Fault::End | Fault::CutControl => Ok(()),
    }
}

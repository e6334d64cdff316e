//! Carries connections between the test's network and a cluster's own.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Ends with its drop; connections that it carries end when one of their ends does.
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    ended: Arc<AtomicBool>,
}

/// The address, for pods and whatever else is in the network of a cluster with a node, at which tests offer servers.
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

impl Relay {
    /// From a listener of the test to a port of loopback in the network of that process.
    pub fn inward(listener: TcpListener, process: u32, port: u16) -> Self {
        Self::carry(listener, move || enter(process), SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// From a free port of that network to a port of the test's loopback.
    pub fn outward(process: u32, port: u16) -> Self {
        // A socket stays in the network in which it was made.
        let listen = move || {
            enter(process);
            TcpListener::bind((INSIDE, 0)).unwrap()
        };
        let listener = thread::spawn(listen).join().unwrap();
        Self::carry(listener, || (), SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn carry(listener: TcpListener, prepare: impl FnOnce() + Send + 'static, target: SocketAddr) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let relay = Self { address: listener.local_addr().unwrap(), ended: ended.clone() };
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            prepare();
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => {
                        client.set_nonblocking(false).unwrap();
                        // Who finds nobody sees the connection closed.
                        if let Ok(server) = TcpStream::connect(target) {
                            join(client, server);
                        }
                    }
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        });
        relay
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Moves the calling thread into the network of a process.
fn enter(process: u32) {
    let network = File::open(format!("/proc/{process}/ns/net")).unwrap();
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

fn join(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
}

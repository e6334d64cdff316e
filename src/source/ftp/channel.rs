//! Data connections, made here and not by suppaftp. Its own would do neither of these: fall back from EPSV to PASV (which
//! of its commands was refused can't be told), limit the time to connect and to encrypt, say why a server broke off
//! encrypting, end a transfer whose last reply never comes, and read more than 4 KiB at once through TLS.
//!
//! A data connection goes to the control connection's address, whatever the server says (a server behind NAT says its inner
//! address; another one could send us elsewhere). The kernel sizes the receive buffer: it grows further by itself than a
//! process may set it (`net.ipv4.tcp_rmem` against `net.core.rmem_max`).

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use suppaftp::tokio_rustls::client::TlsStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::{
    client::{Client, Passive},
    errors::{Fault, said},
    reply::Reply,
};
use crate::source::{patience::Patience, words::seconds};

/// What is read from the network at once where TLS is in between: it asks for 4 KiB each time.
const BEFORE_TLS: usize = 256 << 10;
/// How long a data connection may take to be closed in good form.
const FAREWELL: Duration = Duration::from_secs(2);

/// One data connection.
pub enum Channel {
    /// In the clear.
    Plain(TcpStream),
    /// Encrypted; and whether it ended without TLS's word of farewell (close_notify, RFC 8446, section 6.1).
    Tls(Box<TlsStream<BufReader<TcpStream>>>, Arc<AtomicBool>),
}

impl Channel {
    /// What will say whether the other side ended it without a word. In the clear there is no such word.
    pub fn cut(&self) -> Arc<AtomicBool> {
        match self {
            Self::Plain(_) => Arc::default(),
            Self::Tls(_, cut) => cut.clone(),
        }
    }

    /// Closes it in good form: some servers take anything else for a broken transfer.
    pub async fn close(mut self) {
        // The server may be gone already; what came is judged by its size and the server's last reply.
        let _ = timeout(FAREWELL, self.shutdown()).await;
    }

    /// Ends what was sent. The other side ends the connection then: with what it sent still unread (TLS tickets), an end from
    /// here would be a reset, and could throw away what is on its way.
    pub async fn finish(mut self) {
        let _ = timeout(FAREWELL, async {
            self.shutdown().await?;
            tokio::io::copy(&mut self, &mut tokio::io::sink()).await
        })
        .await;
    }
}

impl Client {
    /// Has the server begin a transfer from the offset `from`. The offset is 0 if the server can't begin elsewhere.
    pub async fn transfer(&mut self, command: &str, from: u64, patience: &Patience) -> Result<(Channel, u64), Fault> {
        let stream = self.dial().await?;
        let begins = if from > 0 { self.restart(from).await? } else { 0 };
        let limit = patience.until().saturating_duration_since(Instant::now());
        let reply = self.ask_within(command, limit, |_| Fault::late(patience)).await;
        let reply = reply.inspect_err(|_| self.spoil())?;
        if !reply.begun() {
            // An offset that was not used could stay for the next transfer.
            if begins > 0 {
                self.spoil();
            }
            return Err(Fault::Refused(reply));
        }
        match self.tls.clone() {
            None => Ok((Channel::Plain(stream), begins)),
            Some(tls) => {
                let stream = BufReader::with_capacity(BEFORE_TLS, stream);
                match timeout_at(patience.until(), tls.shake(stream)).await {
                    Ok(Ok(stream)) => Ok((Channel::Tls(Box::new(stream), Arc::default()), begins)),
                    Ok(Err(error)) => Err(self.unshaken(&error).await),
                    Err(_) => {
                        self.spoil();
                        Err(Fault::late(patience))
                    }
                }
            }
        }
    }

    /// Asks for the next transfer to begin at this offset.
    async fn restart(&mut self, from: u64) -> Result<u64, Fault> {
        let reply = self.ask(&format!("REST {from}")).await?;
        match reply.code {
            350 => Ok(from),
            _ if reply.unknown() => Ok(0),
            _ => Err(Fault::Refused(reply)),
        }
    }

    /// Why a data connection could not be encrypted: the server's own word, if there is one.
    async fn unshaken(&mut self, error: &io::Error) -> Fault {
        self.spoil();
        match self.reply(FAREWELL).await {
            Ok(reply) if !reply.done() => Fault::Refused(reply),
            _ => Fault::Broken(format!(
                "the data connection could not be encrypted ({error}). It is tried again; if it stays so, ask whoever runs the \
                 server"
            )),
        }
    }

    /// A data connection, in the clear as yet.
    async fn dial(&mut self) -> Result<TcpStream, Fault> {
        if self.passive != Passive::Old {
            let reply = self.ask("EPSV").await?;
            match reply.extended_port().filter(|_| reply.code == 229) {
                Some(port) => match self.reach(port).await {
                    Ok(stream) => {
                        self.passive = Passive::ExtendedProven;
                        return Ok(stream);
                    }
                    // A firewall that reads along may know PASV alone.
                    Err(_) if self.passive == Passive::Extended && self.peer.is_ipv4() => {}
                    Err(why) => return Err(Fault::no_data_connection(port, &why)),
                },
                None if self.peer.is_ipv6() => return Err(active_only(&reply)),
                None => {}
            }
            self.passive = Passive::Old;
        }
        let reply = self.ask("PASV").await?;
        match (reply.code, reply.passive_port()) {
            (227, Some(port)) => self.reach(port).await.map_err(|why| Fault::no_data_connection(port, &why)),
            (500..=599, _) => Err(active_only(&reply)),
            _ => Err(Fault::Refused(reply)),
        }
    }

    async fn reach(&self, port: u16) -> Result<TcpStream, String> {
        let limit = self.limits.connect;
        match timeout(limit, TcpStream::connect(SocketAddr::new(self.peer, port))).await {
            Ok(reached) => reached.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} (source.timeouts.connect)", seconds(limit))),
        }
    }
}

/// The server wants to connect to us, which no cluster's network lets through.
fn active_only(reply: &Reply) -> Fault {
    Fault::Unfit(format!(
        "the server gives no passive data connection{}. UserSync never lets a server connect to it (active mode). Have passive mode \
         switched on at the server, with a range of ports that its firewall lets through",
        said(reply)
    ))
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Tls(stream, cut) => match Pin::new(stream).poll_read(cx, into) {
                // Some servers end the connection without a word of farewell: whether a file is whole is told by its size and
                // by the server's last reply.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    cut.store(true, Ordering::Relaxed);
                    Poll::Ready(Ok(()))
                }
                polled => polled,
            },
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream, _) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream, _) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream, _) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

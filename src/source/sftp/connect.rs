//! From nothing to SFTP: connect, verify the host key, log in, start SFTP.

use std::net::SocketAddr;

use russh::{
    AlgorithmKind, ChannelMsg,
    client::{Handle, connect_stream},
    keys::PublicKey,
};
use tokio::{net::TcpStream, time::timeout};

use super::{
    auth::{Login, login},
    client::Client,
    credentials::Credentials,
    errors::{Place, Tried},
    fault::Fault,
    heard::Heard,
    host_key::{self, Verifier},
    offers::{config, no_common},
    preamble::{self, Preamble},
    refusal::Refusal,
    tries::Tries,
};
use crate::{model::job::SftpJob, ports::SourceError, source::words::seconds};

/// Connects, verifies, logs in and starts SFTP.
pub async fn connect(place: &Place, job: &SftpJob) -> Result<Client, SourceError> {
    let expected = host_key::expected(&job.host_keys, &job.host, job.port)
        .map_err(|why| SourceError::Denied(format!("{}: {why}.", place.location())))?;
    // Before anything is sent: a key that can't be used needs no connection.
    let credentials = Credentials::read(place, job).await?;
    let stream = reach(place, job).await?;
    let limit = job.timeouts.login;
    timeout(limit, enter(place, job, stream, expected, &credentials)).await.unwrap_or_else(|_| {
        Err(SourceError::Unreachable(format!(
            "{}: the login was not done within {} (source.timeouts.login). It is tried again; if the server is slow, raise the \
             timeout.",
            place.location(),
            seconds(limit)
        )))
    })
}

/// The TCP connection.
async fn reach(place: &Place, job: &SftpJob) -> Result<TcpStream, SourceError> {
    let place = place.location();
    let limit = job.timeouts.connect;
    let reach = async {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((job.host.as_str(), job.port))
            .await
            .map_err(|error| format!("the name {} is not found ({error}). Check source.sftp.host", job.host))?
            .collect();
        TcpStream::connect(&addresses[..]).await.map_err(|error| {
            format!(
                "there is no connection ({error}). Check source.sftp.host and port, and that no firewall is in the way"
            )
        })
    };
    match timeout(limit, reach).await {
        Ok(Ok(stream)) => {
            // Small requests go out at once.
            stream.set_nodelay(true).map_err(|error| SourceError::Unreachable(format!("{place}: {error}.")))?;
            Ok(stream)
        }
        Ok(Err(why)) => Err(SourceError::Unreachable(format!("{place}: {why}."))),
        Err(_) => Err(SourceError::Unreachable(format!(
            "{place}: there is no answer within {} (source.timeouts.connect). Check source.sftp.host and port, and that no \
             firewall is in the way.",
            seconds(limit)
        ))),
    }
}

/// Everything that happens on the connection until files can be asked for.
async fn enter(
    place: &Place,
    job: &SftpJob,
    stream: TcpStream,
    expected: Vec<PublicKey>,
    credentials: &Credentials,
) -> Result<Client, SourceError> {
    let (mut stream, mut tries) = (stream, Tries::default());
    // Ends: each connection takes at least one way in from those that are left.
    loop {
        let heard = Heard::default();
        let mut ssh = verified(place, job, stream, &expected, &heard).await?;
        match login(place, &mut ssh, &heard, credentials, &mut tries).await? {
            Login::Done => return subsystem(place, ssh, job).await,
            Login::Elsewhere => stream = reach(place, job).await?,
        }
    }
}

/// The encrypted connection to a server that showed an expected key. A server with several keys shows the kind that it is
/// asked for first; is that one not expected, it is asked for the other kinds.
async fn verified(
    place: &Place,
    job: &SftpJob,
    stream: TcpStream,
    expected: &[PublicKey],
    heard: &Heard,
) -> Result<Handle<Verifier>, SourceError> {
    let mut stream = stream;
    let mut asked = expected.to_vec();
    let mut unknown = None;
    loop {
        let verifier = Verifier { expected: asked.clone(), heard: heard.clone() };
        preamble::skip(&mut stream).await.map_err(|why| no_ssh(place, why))?;
        match connect_stream(config(&asked, job.algorithms), stream, verifier).await {
            Ok(ssh) => return Ok(ssh),
            Err(Refusal::Key(shown)) => {
                asked.retain(|key| !host_key::same_kind(key, &shown));
                let first = unknown.get_or_insert(shown);
                if asked.is_empty() {
                    return Err(host_key::unknown(place, first, expected));
                }
            }
            Err(Refusal::Ssh(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, theirs, .. })) => {
                return Err(match unknown {
                    Some(shown) => host_key::unknown(place, &shown, expected),
                    None => other_kind_of_key(place, job, expected, &theirs).await,
                });
            }
            Err(refusal) => return Err(refused(place, job, refusal, heard)),
        }
        stream = reach(place, job).await?;
    }
}

/// Starts SFTP.
async fn subsystem(place: &Place, ssh: Handle<Verifier>, job: &SftpJob) -> Result<Client, SourceError> {
    let broken = || place.error("", Tried::List, Fault::broken());
    let refused = || {
        SourceError::Denied(format!(
            "{}: the login works, but the server does not offer SFTP to this account. Have it allowed there.",
            place.location()
        ))
    };
    let channel = match ssh.channel_open_session().await {
        Err(russh::Error::ChannelOpenFailure(_)) => return Err(refused()),
        channel => channel.map_err(|_| broken())?,
    };
    let (mut answers, requests) = channel.split();
    requests.request_subsystem(true, "sftp").await.map_err(|_| broken())?;
    loop {
        match answers.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            // The line broke: a server that refuses says so.
            None => return Err(broken()),
            _ => return Err(refused()),
        }
    }
    Client::start(ssh, answers, requests, job.timeouts).await.map_err(|fault| place.error("", Tried::List, fault))
}

/// The server has no key of an expected kind: connects again to see which one it has.
async fn other_kind_of_key(place: &Place, job: &SftpJob, expected: &[PublicKey], theirs: &[String]) -> SourceError {
    let mut stream = match reach(place, job).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    if let Err(why) = preamble::skip(&mut stream).await {
        return no_ssh(place, why);
    }
    // No key is expected, so whichever it is, it is refused.
    let verifier = Verifier { expected: Vec::new(), heard: Heard::default() };
    match connect_stream(config(&[], job.algorithms), stream, verifier).await {
        Err(Refusal::Key(shown)) => host_key::unknown(place, &shown, expected),
        _ => no_common(place, "host keys", theirs, &[], job.algorithms),
    }
}

/// Why the connection did not come about, in words.
fn refused(place: &Place, job: &SftpJob, refusal: Refusal, heard: &Heard) -> SourceError {
    let error = match refusal {
        Refusal::Key(_) | Refusal::Certificate => russh::Error::UnknownKey,
        Refusal::Banner => russh::Error::Disconnect,
        Refusal::Ssh(error) => error,
    };
    let place_text = place.location();
    match error {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            let what = match kind {
                AlgorithmKind::Kex => "key exchange",
                AlgorithmKind::Key => "host keys",
                AlgorithmKind::Cipher => "encryption",
                AlgorithmKind::Compression => "compression",
                AlgorithmKind::Mac => "integrity",
            };
            no_common(place, what, &theirs, &ours, job.algorithms)
        }
        russh::Error::Version => no_ssh(place, Preamble::Other(String::new())),
        russh::Error::WrongServerSig | russh::Error::UnknownKey => SourceError::Denied(format!(
            "{place_text}: the server could not prove that it owns its host key. No secret was sent. Ask whoever runs the server."
        )),
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_) => match heard.why() {
            None => no_ssh(place, Preamble::Closed(String::new())),
            Some(why) => SourceError::Unreachable(format!(
                "{place_text}: the server closed the connection before the login. {why} It is tried again; if it stays so, ask \
                 whoever runs the server."
            )),
        },
        russh::Error::KexInit => SourceError::Denied(format!(
            "{place_text}: the server's key exchange is too weak: its group has less than 2048 bits, or breaks a rule. Have a \
             current key exchange switched on at the server, such as curve25519-sha256."
        )),
        other => SourceError::Unreachable(format!(
            "{place_text}: the encrypted connection did not come about ({other}). It is tried again; if it stays so, ask whoever \
             runs the server."
        )),
    }
}

/// There is no SSH on this connection.
fn no_ssh(place: &Place, why: Preamble) -> SourceError {
    let place = place.location();
    SourceError::Unreachable(match why {
        Preamble::Closed(words) => format!(
            "{place}: the server closed the connection before the login{words}. It is tried again; if it stays so, the server \
             may limit connections from here, or be overloaded."
        ),
        Preamble::Other(words) => format!(
            "{place}: what answers there is no SSH server, or it turned the connection away{words}. Check source.sftp.host and \
             port; the server may limit connections from here."
        ),
        Preamble::Endless => format!(
            "{place}: the server sends more than 64 KiB of text before its SSH version. Have that greeting shortened there, or \
             check source.sftp.port."
        ),
    })
}

//! From nothing to the folder: connect, encrypt, log in, ask what the server offers, enter the folder.

use std::{io, net::SocketAddr, time::Duration};

use suppaftp::{FtpError, tokio::AsyncRustlsFtpStream};
use tokio::{net::TcpStream, time::timeout};

use super::{
    client::{self, Client},
    errors::{Fault, Place, Tried, said},
    names::Names,
    reply::{Offers, Reply},
    tls::{self, Tls},
};
use crate::{api::FtpTls, model::job::FtpJob, ports::SourceError, source::words::seconds};

/// The name that lets anybody in, and what is said instead of a password (RFC 1635 has a mail address there).
const ANYBODY: (&str, &str) = ("anonymous", "usersync@");

/// Connects, encrypts, logs in and enters the folder.
pub async fn connect(place: &Place, job: &FtpJob, names: &Names) -> Result<Client, SourceError> {
    // Before anything is sent: certificates that can't be used need no connection.
    let tls = if job.tls == FtpTls::None { None } else { Some(Tls::new(place, job)?) };
    let addresses = within(job.timeouts.connect, find(job)).await.map_err(|why| unreachable(place, &why))?;
    let limit = job.timeouts.login;
    let late = || {
        let mut text = format!(
            "the login was not done within {} (source.timeouts.login). It is tried again; if the server is slow, raise the timeout",
            seconds(limit)
        );
        if job.tls == FtpTls::Explicit {
            text.push_str(". A server that encrypts from the first byte is silent here: it needs tls: Implicit");
        }
        unreachable(place, &text)
    };
    if job.tls == FtpTls::Implicit
        && let Some(tls) = tls
    {
        let ftp = implicit(place, job, &tls, &addresses).await?;
        return timeout(limit, enter(place, job, names, ftp, Some(tls))).await.unwrap_or_else(|_| Err(late()));
    }
    let stream = within(job.timeouts.connect, reach(&addresses)).await.map_err(|why| unreachable(place, &why))?;
    let entered = async {
        let ftp = AsyncRustlsFtpStream::connect_with_stream(stream).await;
        let mut ftp = ftp.map_err(|error| ungreeted(place, job, None, error))?;
        if let Some(tls) = &tls {
            ftp = encrypt(place, job, tls, ftp).await?;
        }
        enter(place, job, names, ftp, tls).await
    };
    timeout(limit, entered).await.unwrap_or_else(|_| Err(late()))
}

fn unreachable(place: &Place, why: &str) -> SourceError {
    SourceError::Unreachable(format!("{}: {why}.", place.location()))
}

async fn within<T>(limit: Duration, tried: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(limit, tried).await.unwrap_or_else(|_| Err(no_answer(limit)))
}

fn no_answer(limit: Duration) -> String {
    format!(
        "there is no answer within {} (source.timeouts.connect). Check source.ftp.host and port, and that no firewall is in the way",
        seconds(limit)
    )
}

async fn find(job: &FtpJob) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host((job.host.as_str(), job.port)).await;
    found
        .map(Iterator::collect)
        .map_err(|error| format!("the name {} is not found ({error}). Check source.ftp.host", job.host))
}

async fn reach(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    TcpStream::connect(addresses).await.map_err(|error| no_connection(&error))
}

fn no_connection(error: &io::Error) -> String {
    format!("there is no connection ({error}). Check source.ftp.host and port, and that no firewall is in the way")
}

/// Connects to a server that encrypts from the first byte. The library connects by itself here: its limits are put around.
async fn implicit(
    place: &Place,
    job: &FtpJob,
    tls: &Tls,
    addresses: &[SocketAddr],
) -> Result<AsyncRustlsFtpStream, SourceError> {
    let limit = job.timeouts.connect + job.timeouts.login;
    let connected = AsyncRustlsFtpStream::connect_secure_implicit(addresses, tls.clone(), &job.server_name);
    match timeout(limit, connected).await {
        Ok(Ok(ftp)) => Ok(ftp),
        Ok(Err(error)) => Err(ungreeted(place, job, Some(tls), error)),
        Err(_) if tls.reached() => Err(unreachable(
            place,
            &format!(
                "the server did not greet within {} (source.timeouts.login). Write tls: Explicit (usually port 21) if it does not \
                 encrypt from the first byte",
                seconds(limit)
            ),
        )),
        Err(_) => Err(unreachable(place, &no_answer(limit))),
    }
}

/// Encrypts a connection that began in the clear: AUTH TLS, PBSZ, PROT (RFC 4217).
async fn encrypt(
    place: &Place,
    job: &FtpJob,
    tls: &Tls,
    ftp: AsyncRustlsFtpStream,
) -> Result<AsyncRustlsFtpStream, SourceError> {
    let error = match ftp.into_secure(tls.clone(), &job.server_name).await {
        Ok(ftp) => return Ok(ftp),
        Err(error) => error,
    };
    if let Some(failure) = tls.failure() {
        return Err(tls::refused(place, job, &failure));
    }
    Err(match error {
        FtpError::UnexpectedResponse(response) if tls.shaken() => {
            unprotected(place, &Reply::new(response.body).to("PBSZ 0 or PROT P"))
        }
        FtpError::UnexpectedResponse(response) => {
            let reply = Reply::new(response.body).to("AUTH TLS");
            if reply.later() {
                return Err(turned_away(place, &reply));
            }
            SourceError::Denied(format!(
                "{}: the server does not encrypt connections{}. No password was sent. Have TLS switched on there (AUTH TLS); write tls: \
                 Implicit if it encrypts from the first byte on another port; tls: None sends everything in the clear.",
                place.location(),
                said(&reply)
            ))
        }
        other => place.error("", Tried::List, client::fault(&other)),
    })
}

/// The control connection is encrypted, data connections would not be.
fn unprotected(place: &Place, reply: &Reply) -> SourceError {
    if reply.later() {
        return turned_away(place, reply);
    }
    SourceError::Denied(format!(
        "{}: the server does not encrypt data connections{}. Have it allow PROT P; tls: None sends everything in the clear.",
        place.location(),
        said(reply)
    ))
}

/// No greeting, or none of a server that lets us in.
fn ungreeted(place: &Place, job: &FtpJob, tls: Option<&Tls>, error: FtpError) -> SourceError {
    if let Some(failure) = tls.and_then(Tls::failure) {
        return tls::refused(place, job, &failure);
    }
    match error {
        FtpError::UnexpectedResponse(response) => turned_away(place, &Reply::new(response.body)),
        FtpError::BadResponse => unreachable(
            place,
            "what answers there is no FTP server. Check source.ftp.host and port; an SFTP server (usually port 22) needs source.sftp",
        ),
        FtpError::ConnectionError(error) if tls.is_some_and(|tls| !tls.reached()) => {
            unreachable(place, &no_connection(&error))
        }
        FtpError::ConnectionError(error) if error.kind() == io::ErrorKind::UnexpectedEof => unreachable(
            place,
            "the server closed the connection without a greeting. It is tried again; if it stays so, the server may limit connections \
             from here, or be overloaded",
        ),
        other => place.error("", Tried::List, client::fault(&other)),
    }
}

/// The server answers, but takes nobody in just now.
fn turned_away(place: &Place, reply: &Reply) -> SourceError {
    unreachable(
        place,
        &format!(
            "the server turns connections away{}. It is tried again; if it stays so, it may limit connections from here: lower \
             --max-logins-per-server, or have the limit raised",
            said(reply)
        ),
    )
}

/// Everything that happens on the connection until files can be asked for.
async fn enter(
    place: &Place,
    job: &FtpJob,
    names: &Names,
    ftp: AsyncRustlsFtpStream,
    tls: Option<Tls>,
) -> Result<Client, SourceError> {
    let broken = |error: io::Error| unreachable(place, &format!("the connection broke off ({error})"));
    let mut client = Client::new(ftp, tls, job.timeouts, names.clone()).await.map_err(broken)?;
    login(place, job, &mut client).await?;
    let prepared = prepare(place, job, &mut client).await;
    prepared.map_err(|fault| place.error("", Tried::List, fault))?;
    Ok(client)
}

async fn login(place: &Place, job: &FtpJob, client: &mut Client) -> Result<(), SourceError> {
    let (username, password) = match &job.login {
        Some(login) => (login.username.as_str(), login.password.expose()),
        None => ANYBODY,
    };
    match client.ftp().login(username, password).await {
        Ok(()) => Ok(()),
        Err(FtpError::UnexpectedResponse(response)) => {
            Err(denied(place, job, &Reply::new(response.body).to("the login")))
        }
        Err(other) => Err(place.error("", Tried::List, client::fault(&other))),
    }
}

/// Why nobody was let in.
fn denied(place: &Place, job: &FtpJob, reply: &Reply) -> SourceError {
    let (at, said) = (place.location(), said(reply));
    // Who takes a wrong password for a server that is busy tries it again and again, until the account is locked.
    let of_the_account = reply.speaks_of(&["password", "login", "attempt", "fail", "locked", "incorrect"]);
    let many = reply.speaks_of(&["too many", "maximum", "max clients"]) || reply.code / 100 == 4 && reply.code != 430;
    if many && !of_the_account {
        return turned_away(place, reply);
    }
    if job.tls == FtpTls::None && reply.speaks_of(&["tls", "ssl", "encrypt", "secure", "cleartext"]) {
        return SourceError::Denied(format!(
            "{at}: the server lets nobody in without encryption{said}. Write tls: Explicit."
        ));
    }
    let who = match &job.login {
        Some(login) => format!("the account {:?} with this password", login.username),
        None => "anybody: anonymous logins are not allowed there. Name credentials".to_owned(),
    };
    if reply.code == 332 {
        return SourceError::Denied(format!(
            "{at}: the server asks for a third part of the login (ACCT), which UserSync does not know{said}. Have it switched off there."
        ));
    }
    SourceError::Denied(format!(
        "{at}: the server did not let in {who}{said}. Check username and password in the Secret (source.ftp.credentials), and \
         that the account may log in by FTP."
    ))
}

/// What is agreed on once, after the login.
async fn prepare(place: &Place, job: &FtpJob, client: &mut Client) -> Result<(), Fault> {
    if job.tls == FtpTls::Implicit {
        for command in ["PBSZ 0", "PROT P"] {
            let reply = client.ask(command).await?;
            if !reply.done() {
                return Err(unprotected(place, &reply).into());
            }
        }
    }
    client.offers = Offers::new(&client.ask("FEAT").await?);
    if client.offers.utf8 {
        // A server that is in UTF-8 already may refuse it.
        client.ask("OPTS UTF8 ON").await?;
    }
    // Bytes as they are: sizes and offsets count them.
    let reply = client.ask("TYPE I").await?;
    if !reply.done() {
        return Err(Fault::Refused(reply));
    }
    match place.folder() {
        Some(folder) => enter_folder(place, client, folder).await,
        None => Ok(()),
    }
}

/// Enters the folder. 550 is said of one that is missing and of one that may not be entered: it is looked at.
async fn enter_folder(place: &Place, client: &mut Client, folder: &str) -> Result<(), Fault> {
    let refused = client.ask_about("CWD", folder).await?;
    if refused.done() {
        return Ok(());
    }
    // RNFR looks whether there is something; nothing is renamed without RNTO.
    let (command, there) = if client.offers.facts { ("MLST", 250) } else { ("RNFR", 350) };
    let there = refused.code == 550 && client.ask_about(command, folder).await?.code == there;
    Err(if there { place.forbidden("", Tried::List, &refused).into() } else { Fault::Refused(refused) })
}

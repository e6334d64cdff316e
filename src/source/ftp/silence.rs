//! Connections that are silent for long.

use std::{io, os::fd::AsFd, time::Duration};

/// The silence after which the kernel asks whether the other side of a control connection is still there, and how often. It
/// says nothing during a transfer, and what stands between forgets silent connections. Not NOOP: vsftpd answers it after the
/// transfer alone, others take any command during a transfer for its end.
const SILENCE: Duration = Duration::from_secs(30);

/// Has the kernel ask after a silent connection.
pub fn keep_alive(socket: &impl AsFd) -> io::Result<()> {
    rustix::net::sockopt::set_socket_keepalive(socket, true)?;
    rustix::net::sockopt::set_tcp_keepidle(socket, SILENCE)?;
    rustix::net::sockopt::set_tcp_keepintvl(socket, SILENCE)?;
    Ok(rustix::net::sockopt::set_tcp_keepcnt(socket, 4)?)
}

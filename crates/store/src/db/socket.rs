//! Options of the TCP sockets to PostgreSQL, which the driver leaves at their defaults.
//!
//! Without `TCP_NODELAY` a statement of more than one TLS record waits for the server's delayed acknowledgement, some
//! 40 ms (sqlx issue 4335, fixed by pull request 4336, which is not released). The driver does not hand out its socket,
//! so the process looks at its own descriptors and sets the options on duplicates, which share them. It duplicates a
//! descriptor by sending it to itself: `dup` of a number is `unsafe` in Rust, and container runtimes deny
//! `pidfd_getfd`.

use std::{
    fs,
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Once,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, sockopt},
};
use sendfd::SendWithFd;

/// How long a connection may be silent before the kernel asks whether the server is still there, …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// … how long it waits before it asks again, …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// … and how often it asks before it closes the connection.
const KEEPALIVE_PROBES: u32 = 3;
/// How long sent data may stay unacknowledged before the kernel closes the connection, in milliseconds.
const USER_TIMEOUT_MS: u32 = 25_000;

/// Sets `TCP_NODELAY` and keepalive on each socket of this process that is connected to this port.
pub(super) fn tune(port: u16) {
    static WARNED: Once = Once::new();
    if let Err(error) = try_tune(port) {
        WARNED.call_once(|| {
            tracing::warn!(
                %error,
                "cannot set TCP_NODELAY on connections to PostgreSQL: large statements over TLS are slow"
            );
        });
    }
}

fn try_tune(port: u16) -> io::Result<()> {
    for socket in sockets_to(port)? {
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_keepalive(&socket, true)?;
        sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
        sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
        sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?;
        sockopt::set_tcp_user_timeout(&socket, USER_TIMEOUT_MS)?;
    }
    Ok(())
}

/// Duplicates of the TCP sockets of this process that are connected to this port.
fn sockets_to(port: u16) -> io::Result<Vec<OwnedFd>> {
    let (sender, receiver) = UnixStream::pair()?;
    let mut sockets = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // A descriptor may be gone by now, as the one that reads this folder is.
        let Ok(target) = fs::read_link(&path) else { continue };
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let Some(number) = number.filter(|_| target.to_string_lossy().starts_with("socket:")) else {
            continue;
        };
        match sender.send_with_fd(&[0], &[number]) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(Errno::BADF.raw_os_error()) => continue,
            Err(error) => return Err(error),
        }
        let duplicate = received(&receiver)?;
        let peer = net::getpeername(&duplicate).ok().flatten();
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        if peer.is_some_and(|peer| peer.port() == port) {
            sockets.push(duplicate);
        }
    }
    Ok(sockets)
}

/// The descriptor that was sent to the other end of this socket.
fn received(receiver: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut messages = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    net::recvmsg(receiver, &mut [IoSliceMut::new(&mut byte)], &mut messages, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = messages.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    // The kernel leaves it out when the process has no descriptor left.
    descriptors.next().and_then(|mut descriptors| descriptors.next()).ok_or_else(|| Errno::MFILE.into())
}

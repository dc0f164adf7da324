//! Options of the TCP sockets to PostgreSQL, which the driver leaves at their defaults.
//!
//! Without `TCP_NODELAY` a statement of more than one TLS record waits for the server's delayed acknowledgement, some
//! 40 ms (sqlx issue 4335, fixed by pull request 4336, which is not released). The driver does not hand out its socket,
//! so the process looks at its own descriptors and sets the options on duplicates, which share them.

use std::{fs, io, net::SocketAddr, os::fd::OwnedFd, sync::Once, time::Duration};

use rustix::{
    net::{self, sockopt},
    process::{self, PidfdFlags, PidfdGetfdFlags},
};

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
    let this = process::pidfd_open(process::getpid(), PidfdFlags::empty())?;
    let mut sockets = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // A descriptor may be gone by now, as the one that reads this folder is.
        let Ok(target) = fs::read_link(&path) else { continue };
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let Some(number) = number.filter(|_| target.to_string_lossy().starts_with("socket:")) else {
            continue;
        };
        let duplicate = match process::pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) {
            Ok(duplicate) => duplicate,
            Err(rustix::io::Errno::BADF) => continue,
            Err(error) => return Err(error.into()),
        };
        let peer = net::getpeername(&duplicate).ok().flatten();
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        if peer.is_some_and(|peer| peer.port() == port) {
            sockets.push(duplicate);
        }
    }
    Ok(sockets)
}

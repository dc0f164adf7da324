//! File descriptors: how many the process may have open, and how many of them are for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many connections the main listener holds, where there are descriptors for them.
const MAX_CONNECTIONS: usize = 8192;
/// How many it holds however few descriptors there are.
const MIN_CONNECTIONS: usize = 16;
/// How many connections the listener for the metrics holds.
pub(crate) const METRICS_CONNECTIONS: usize = 32;
/// How many connections to the database there are at most beside the readers.
const OTHER_DATABASE_CONNECTIONS: usize = 16;
/// How many connections one of `INVENTORY_READERS` stands for.
const CONNECTIONS_PER_READER: usize = 2;
/// How many descriptors a connection to the database takes: SQLite opens the file, its log and its index.
const DESCRIPTORS_PER_DATABASE_CONNECTION: usize = 3;
/// Descriptors for everything else: the runtime, the log, the listeners, temporary files.
const OTHER_DESCRIPTORS: usize = 48;

/// Raises the soft limit on descriptors to the hard one, and returns the limit.
pub(crate) fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return limit(current);
    }
    let raised = match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, limit = current, "cannot raise the limit on file descriptors");
            current
        }
    };
    limit(raised)
}

/// No limit is as good as the highest one.
fn limit(limit: Option<u64>) -> usize {
    limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX)
}

/// The number of connections that the main listener may hold, given the limit on file descriptors and the
/// number of database readers.
pub(crate) fn main_connections(descriptors: usize, readers: u32) -> usize {
    let database = readers as usize * CONNECTIONS_PER_READER + OTHER_DATABASE_CONNECTIONS;
    let reserve = database * DESCRIPTORS_PER_DATABASE_CONNECTION + METRICS_CONNECTIONS + OTHER_DESCRIPTORS;
    let connections = descriptors.saturating_sub(reserve);
    if connections < MIN_CONNECTIONS {
        tracing::warn!(descriptors, needed = reserve + MIN_CONNECTIONS, "too few file descriptors");
    }
    connections.clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        assert_eq!(main_connections(65_536, 4), 8192);
        assert_eq!(main_connections(1024, 4), 872);
        assert_eq!(main_connections(256, 4), 104);
        assert_eq!(main_connections(64, 4), 16);
        assert_eq!(main_connections(1024, 256), 16);
    }
}

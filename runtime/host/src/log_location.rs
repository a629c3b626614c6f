//! Where the event log of a state directory is: on a Redis server, or in the directory.
//!
//! A state directory has a database in both modes, so a command that opens a stopped host's log could not tell an empty
//! log from one that is on a server.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;

use storage::redis_client::RedisClient;

/// The file with the address of the Redis server, without credentials. It is absent in embedded mode.
const FILE: &str = "redis";

/// Records where the log of a host is that starts.
///
/// # Errors
/// When the state directory is not writable.
pub fn record(state: &Path, redis: Option<&RedisClient>) -> anyhow::Result<()> {
    let path = state.join(FILE);
    let written = match redis {
        Some(redis) => std::fs::write(&path, redis.address()),
        None => match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        },
    };
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The address of the Redis server with the log of the last host in a state directory; `None` in embedded mode.
pub fn redis_address(state: &Path) -> Option<String> {
    std::fs::read_to_string(state.join(FILE)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_last_log_counts() {
        let state = tempfile::tempdir().unwrap();
        let redis = RedisClient::new("redis://user:hunter2@cache:1/2").unwrap();
        assert_eq!(redis_address(state.path()), None);
        for _ in 0..2 {
            record(state.path(), Some(&redis)).unwrap();
            assert_eq!(redis_address(state.path()).as_deref(), Some("cache:1"));
        }
        for _ in 0..2 {
            record(state.path(), None).unwrap();
            assert_eq!(redis_address(state.path()), None);
        }
    }
}

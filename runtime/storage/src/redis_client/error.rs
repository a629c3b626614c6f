//! The errors of a Redis client, by what a caller can do about them.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// An error of a Redis client.
#[derive(Debug, thiserror::Error)]
pub enum RedisClientError {
    /// The address does not have the form `redis://[user:password@]host[:port][/database]`. The message does not contain
    /// it, because it may hold a password.
    #[error("it is no usable redis address")]
    InvalidAddress(#[source] RedisError),
    /// The server is unreachable or did not reply: the command may or may not have been executed.
    #[error("redis at {address} is unavailable: {source}")]
    Unavailable { address: String, source: RedisError },
    /// The server replied with an error: the command was not executed.
    #[error("redis refused: {0}")]
    ErrorReply(RedisError),
}

impl RedisClientError {
    /// The meaning of an error of the server at `address`.
    pub(super) fn classify(address: &str, source: RedisError) -> Self {
        if is_unavailable(&source) {
            Self::Unavailable {
                address: address.to_owned(),
                source,
            }
        } else {
            Self::ErrorReply(source)
        }
    }

    /// The code of the server's error reply, such as `NOGROUP`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::InvalidAddress(source) | Self::Unavailable { source, .. } => source.code(),
            Self::ErrorReply(reply) => reply.code(),
        }
    }

    /// Whether the same command may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

fn is_unavailable(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::Server(kind) => {
            matches!(
                kind,
                BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain
            )
        }
        // Temporary states of a server as well: a script that still runs, a full memory, missing replicas.
        _ => {
            let code = error.code().unwrap_or_default();
            TEMPORARY.contains(&code) || wrapped_code(error).is_some()
        }
    }
}

/// The codes of errors that pass without a change of the command.
const TEMPORARY: [&str; 5] = ["BUSY", "OOM", "MISCONF", "NOREPLICAS", "READONLY"];

/// The temporary error inside of a script: Redis 6.2 puts the error of the command into the text of another.
fn wrapped_code(error: &RedisError) -> Option<&'static str> {
    let detail = error.detail()?;
    TEMPORARY
        .into_iter()
        .find(|code| detail.contains(&format!("-{code} ")))
}

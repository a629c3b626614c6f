//! The errors of an event log.

use storage::database::DatabaseError;
use storage::redis_client::RedisClientError;

/// An error of an event log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The heartbeat of this consumer timed out, or it has a newer session. The consumer subscribes again.
    #[error("consumer `{consumer}` of `{group}` was evicted")]
    Evicted { group: String, consumer: String },
    /// A stored entry of the named stream cannot be decoded.
    #[error("an entry of `{0}` is damaged")]
    Damaged(String),
    /// No component reads as this group any more.
    #[error(
        "nothing reads as the group `{0}` any more: its dead letters stay until something does, or are discarded"
    )]
    NoGroup(String),
    /// The embedded database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The Redis server failed or is unavailable.
    #[error(transparent)]
    Redis(#[from] RedisClientError),
}

impl LogError {
    /// Whether the same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(error) => matches!(error, DatabaseError::Locked(_)),
            Self::Redis(error) => error.is_unavailable(),
            Self::Evicted { .. } => true,
            Self::Damaged(_) | Self::NoGroup(_) => false,
        }
    }
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

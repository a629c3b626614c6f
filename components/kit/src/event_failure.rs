//! Why an event was not handled, as whatever delivers it needs to know ([`http_conventions::delivery`]).

use crate::{change_error::ChangeError, platform::LogError, store::StoreError};
use http_conventions::delivery::{REJECTED, UNAVAILABLE};

/// Why an event was not handled. The text is the error of the Redis handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventFailure {
    /// Something that the handler needs is unavailable. The delivery waits; it says nothing about the event.
    #[error("{UNAVAILABLE}{0}")]
    Unavailable(String),
    /// The event is malformed: no repetition makes it acceptable.
    #[error("{REJECTED}{0}")]
    Rejected(String),
    /// The handler failed for another reason, such as a stored value that cannot be read.
    #[error("{0}")]
    Failed(String),
}

impl From<StoreError> for EventFailure {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LogError> for EventFailure {
    fn from(error: LogError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl<R> From<ChangeError<R>> for EventFailure {
    fn from(error: ChangeError<R>) -> Self {
        match error {
            ChangeError::Store(_) | ChangeError::Contended(_) => {
                Self::Unavailable(error.to_string())
            }
            ChangeError::Corrupt(..) | ChangeError::Refused(_) => Self::Failed(error.to_string()),
        }
    }
}

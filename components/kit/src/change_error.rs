//! Why a change of an aggregate failed. The conversions of the error are with the errors that it becomes.

use crate::store::StoreError;

/// The reason for which a change failed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<R> {
    /// The domain refused the change; nothing changed.
    #[error("refused")]
    Refused(R),
    /// The store failed; it is unknown whether the change took place.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored value of the key cannot be decoded; nothing changed.
    #[error("the stored value of `{0}` cannot be read: {1}")]
    Corrupt(String, String),
    /// Other writers changed the aggregate before every attempt; nothing changed.
    #[error("`{0}` is changed too often at this moment")]
    Contended(String),
}

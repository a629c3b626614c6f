//! The stored form of an aggregate as the input of the next change.

use super::change::{Persistent, Versioned};
use crate::change_error::ChangeError;
use crate::stored::{PendingEvent, StoredAggregate};

/// The aggregate before a change, and what the next version takes over from its stored form.
pub(super) struct Previous<A> {
    pub(super) aggregate: Option<Versioned<A>>,
    /// Ids of the recent commits.
    pub(super) recent: Vec<String>,
    pub(super) pending: Vec<PendingEvent>,
}

impl<A: Persistent> Previous<A> {
    pub(super) fn from(stored: Option<StoredAggregate<A::Record>>) -> Self {
        match stored {
            None => Self {
                aggregate: None,
                recent: Vec::new(),
                pending: Vec::new(),
            },
            Some(stored) => Self {
                recent: stored.recent_for_next(),
                pending: stored.pending,
                aggregate: Some(Versioned {
                    version: stored.version,
                    state: A::from_record(stored.state),
                }),
            },
        }
    }

    /// The next version, with this state.
    pub(super) fn followed_by(&self, state: A) -> Versioned<A> {
        let before = self.aggregate.as_ref().map_or(0, |before| before.version);
        Versioned {
            version: before + 1,
            state,
        }
    }
}

/// Decodes the stored form of the aggregate `key`.
pub(super) fn decode<A: Persistent, R>(
    key: &str,
    bytes: Option<&[u8]>,
) -> Result<Option<StoredAggregate<A::Record>>, ChangeError<R>> {
    bytes
        .map(serde_json::from_slice)
        .transpose()
        .map_err(|error| ChangeError::Corrupt(key.to_owned(), error.to_string()))
}

//! The stored form of a breaker: its state, and the ids of its latest changes.

use resilience::breaker::SavedState;
use serde::{Deserialize, Serialize};

/// Number of ids that a value keeps: more than the changes of other writers between a swap and its reading back.
const MAX_RECENT_CHANGES: usize = 16;

/// One breaker as the store holds it. The member names are persistent.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct StoredBreaker {
    /// `None` if the value is absent or cannot be decoded.
    #[serde(flatten)]
    pub(super) state: Option<SavedState>,
    /// Ids of the latest changes, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<String>,
}

impl StoredBreaker {
    pub(super) fn decode(value: Option<&[u8]>) -> Self {
        let stored = value.and_then(|value| serde_json::from_slice(value).ok());
        stored.unwrap_or_default()
    }

    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// Whether the change with this id is one of the latest.
    pub(super) fn contains(&self, change: &str) -> bool {
        self.recent.iter().any(|recent| recent == change)
    }

    /// The value after the change with this id.
    pub(super) fn followed_by(mut self, state: SavedState, change: &str) -> Self {
        self.recent.insert(0, change.to_owned());
        self.recent.truncate(MAX_RECENT_CHANGES);
        Self {
            state: Some(state),
            recent: self.recent,
        }
    }
}

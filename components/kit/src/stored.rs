//! The stored form of every aggregate: its state together with the events of its latest commits.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Number of previous commit ids that a value keeps: more than the commits of other writers between a
/// swap and its reading back.
const MAX_RECENT_COMMITS: usize = 16;

/// One aggregate as the store holds it. The member names are persistent.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredAggregate<R> {
    pub(crate) version: u64,
    /// Id of the commit that wrote this value.
    pub(crate) commit: String,
    /// Ids of the commits before it, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recent: Vec<String>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(crate) pending: Vec<PendingEvent>,
    pub(crate) state: R,
}

/// An event that is committed and not known to be published. It stays the JSON that it was stored as: a release
/// that does not know its type can still load the aggregate and publish the event.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PendingEvent {
    /// Id of the commit that the event belongs to.
    pub(crate) commit: String,
    pub(crate) event: Box<RawValue>,
}

impl<R> StoredAggregate<R> {
    /// Whether the commit with this id is the latest one, one of the recent ones, or one whose events are
    /// pending. Events stay pending for as long as the intent of their commit is stored.
    pub(crate) fn contains(&self, commit: &str) -> bool {
        self.commit == commit
            || self.recent.iter().any(|recent| recent == commit)
            || self.pending.iter().any(|pending| pending.commit == commit)
    }

    /// Whether this value proves that no commit took place after `version` which it does not contain: it has
    /// all ids since.
    pub(crate) fn has_all_commits_since(&self, version: u64) -> bool {
        self.version.saturating_sub(version) <= self.recent.len() as u64
    }

    /// The commit ids that the next version keeps.
    pub(crate) fn recent_for_next(&self) -> Vec<String> {
        let ids = std::iter::once(&self.commit).chain(&self.recent);
        ids.take(MAX_RECENT_COMMITS).cloned().collect()
    }
}

impl<R: Serialize> StoredAggregate<R> {
    #[expect(
        clippy::expect_used,
        reason = "records are plain data with string keys"
    )]
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record serialises")
    }
}

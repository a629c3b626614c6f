//! The point of the commit history that a caller waits for.

use std::fmt;
use std::sync::Arc;

use super::group_commit::GroupCommit;
use super::{Database, DatabaseError};

/// A point in the sequence of writes: every write after it, up to the wait, is waited for.
#[derive(Clone)]
pub struct CommitWatermark {
    commits: Arc<GroupCommit>,
    /// The first batch that can hold such a write.
    first_batch: u64,
}

impl CommitWatermark {
    /// The point between the writes so far and the next one.
    pub fn from_now(database: &Database) -> Self {
        Self::of(database.commits.clone())
    }

    pub(super) fn of(commits: Arc<GroupCommit>) -> Self {
        Self {
            first_batch: commits.next_batch(),
            commits,
        }
    }

    /// Waits until all writes since the watermark are committed: a crash of this process does not undo them. The wait
    /// takes some milliseconds at most, plus the time of a commit.
    ///
    /// # Errors
    /// [`DatabaseError::CommitFailed`] if one of the commits since the watermark failed, so that writes may be lost.
    pub async fn wait_durable(&self) -> Result<(), DatabaseError> {
        self.commits.wait_durable(self.first_batch).await
    }
}

impl fmt::Debug for CommitWatermark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("CommitWatermark")
            .field(&self.first_batch)
            .finish()
    }
}

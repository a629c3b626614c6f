//! One connection whose writes are committed in groups, for a database that holds no state of the host.

use std::io;
use std::sync::Arc;

use parking_lot::MutexGuard;
use rusqlite::Connection;

use super::DatabaseError;
use super::committer::Committer;
use super::group_commit::{FailedWrite, GroupCommit};
use super::watermark::CommitWatermark;
use super::write_fence::WriteFence;
use crate::file_identity::FileIdentity;

/// The only writer of a file, as long as no other connection begins a transaction.
pub struct BatchedWriter {
    commits: Arc<GroupCommit>,
    /// Ends before the connection is closed, and commits the open batch.
    _committer: Committer,
}

/// Keeps the writer of a file from writing for a moment.
pub struct WritePause(Arc<GroupCommit>);

// === impl BatchedWriter ===

impl BatchedWriter {
    /// Takes over the connection to a file. When a batch is lost, the fence closes for everything that shares it. Damage in
    /// the file loses nothing of others: it fails the callers that wait for the batch.
    ///
    /// # Errors
    /// If the operating system starts no thread.
    pub fn start(
        connection: Connection,
        identity: Arc<FileIdentity>,
        fence: Arc<WriteFence>,
    ) -> io::Result<Self> {
        let commits = Arc::new(GroupCommit::of_component(connection, identity, fence));
        Ok(Self {
            _committer: Committer::start(commits.clone())?,
            commits,
        })
    }

    /// Runs one writing statement. `work` holds the mutex of the connection, so it must not wait for anything else. The
    /// statement is visible to other connections after the commit of its batch. A statement that is interrupted undoes its
    /// batch: the others that wait for it fail.
    ///
    /// # Errors
    /// If `work` fails, or another connection holds the lock of the file.
    pub fn write<T, E: FailedWrite>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.commits.write_one(work)
    }

    /// Whether there are writes that other connections do not see yet. A write in progress is none.
    pub fn has_uncommitted_writes(&self) -> bool {
        self.commits.has_uncommitted_writes()
    }

    /// Commits the open batch, if there is one, so that other connections see its writes and can write themselves. Waits
    /// for a write in progress.
    ///
    /// # Errors
    /// If the writes of the batch are lost.
    pub fn commit(&self) -> Result<(), DatabaseError> {
        self.commits.commit_now()
    }

    /// Checks that writes are committed. After a failed one, each call tries one more write.
    ///
    /// # Errors
    /// The cause, if they are not.
    pub fn check(&self) -> Result<(), DatabaseError> {
        self.commits.check()
    }

    /// As [`super::Database::try_commit`]. Damage in the file is no failure: it says nothing about the disk.
    ///
    /// # Errors
    /// The cause, if writes are not committed.
    pub fn try_commit(&self) -> Result<(), DatabaseError> {
        match self.commits.try_commit() {
            Err(error) if error.is_damage() => Ok(()),
            tried => tried,
        }
    }

    /// Whether a commit has met damage in the file.
    pub fn is_damaged(&self) -> bool {
        self.commits.is_damaged()
    }

    /// What keeps others from writing.
    pub fn pause(&self) -> WritePause {
        WritePause(self.commits.clone())
    }

    /// The point between the writes so far and the next one.
    pub fn watermark(&self) -> CommitWatermark {
        CommitWatermark::of(self.commits.clone())
    }
}

// === impl WritePause ===

impl WritePause {
    /// Commits the open batch; nothing is written until the returned guard is dropped.
    pub fn begin(&self) -> MutexGuard<'_, Connection> {
        self.0.lock_committed()
    }
}

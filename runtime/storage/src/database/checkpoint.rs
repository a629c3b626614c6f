//! When and how the write-ahead log of the embedded database is checkpointed.
//!
//! A log of [`CHECKPOINT_PAGES`] is copied into the file while calls go on. Only the last few pages, and the write that
//! makes SQLite reuse the log from its start (SQLite syncs the header of the log there), are done under the mutex of
//! the connection. Without that last step, a busy writer would make the log grow without a bound.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::group_commit::GroupCommit;
use crate::wal::{CheckpointMode, WalSource, checkpoint};

/// The size of the log, in pages of 4 KiB, from which it is checkpointed: 32 MiB.
const CHECKPOINT_PAGES: u32 = 8192;

/// The number of checkpoints without the mutex before the one that holds it.
const CONCURRENT_CHECKPOINTS: usize = 3;

/// Checkpoints through a connection of its own.
pub(super) struct CheckpointPolicy {
    own: Connection,
    shared: Arc<GroupCommit>,
}

impl CheckpointPolicy {
    pub fn new(own: Connection, shared: Arc<GroupCommit>) -> rusqlite::Result<Self> {
        own.execute_batch("CREATE TABLE IF NOT EXISTS socar_fold (folds INTEGER NOT NULL)")?;
        Ok(Self { own, shared })
    }
}

impl WalSource for CheckpointPolicy {
    fn connection(&self) -> &Connection {
        &self.own
    }

    fn version(&self, _log: &Path) -> Option<u64> {
        Some(self.shared.lock().total_changes())
    }

    fn checkpoint_if_due(&mut self, _log: &Path) -> rusqlite::Result<()> {
        if checkpoint(&self.own, CheckpointMode::Noop)?.pages < CHECKPOINT_PAGES {
            return Ok(());
        }
        for _ in 0..CONCURRENT_CHECKPOINTS {
            if checkpoint(&self.own, CheckpointMode::Passive)?.is_complete() {
                break;
            }
        }
        let _no_writes = self.shared.lock_committed();
        if checkpoint(&self.own, CheckpointMode::Passive)?.is_complete() {
            // This write restarts the log.
            self.own.execute(
                "INSERT INTO socar_fold (rowid, folds) VALUES (1, 1)
                 ON CONFLICT (rowid) DO UPDATE SET folds = folds + 1",
                [],
            )?;
        }
        Ok(())
    }

    fn checkpoint_all(&mut self) -> rusqlite::Result<()> {
        let _no_writes = self.shared.lock_committed();
        checkpoint(&self.own, CheckpointMode::Truncate).map(drop)
    }
}

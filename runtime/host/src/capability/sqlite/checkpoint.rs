//! When the write-ahead log of a guest's database is checkpointed.

use std::path::Path;
use std::time::UNIX_EPOCH;

use rusqlite::Connection;
use storage::wal::{CheckpointMode, WalSource, checkpoint};

/// The size of the log, in bytes, from which it is checkpointed.
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// Checkpoints through a connection of its own.
pub(super) struct GuestCheckpointPolicy(pub Connection);

impl WalSource for GuestCheckpointPolicy {
    /// The time of the latest write to the log: a guest's connections do not count their changes together.
    fn version(&self, log: &Path) -> Option<u64> {
        let written = std::fs::metadata(log).ok()?.modified().ok()?;
        let since = written.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_nanos()).ok()
    }

    fn checkpoint_if_due(&mut self, log: &Path) -> rusqlite::Result<()> {
        let is_due = std::fs::metadata(log).is_ok_and(|log| log.len() > CHECKPOINT_BYTES);
        if is_due {
            // Readers and writers continue meanwhile; the next writer then restarts the log.
            checkpoint(&self.0, CheckpointMode::Passive)?;
        }
        Ok(())
    }

    fn checkpoint_all(&mut self) -> rusqlite::Result<()> {
        checkpoint(&self.0, CheckpointMode::Truncate).map(drop)
    }
}

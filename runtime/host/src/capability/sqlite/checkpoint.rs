//! When the write-ahead log of a guest's database is checkpointed.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::Connection;
use storage::database::WritePause;
use storage::wal::{CheckpointMode, WalSource, checkpoint};

/// The size of the log, in bytes, from which it is checkpointed.
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// The longest wait for readers of the log, before it is emptied. Nothing is written meanwhile.
const READER_TIMEOUT: Duration = Duration::from_millis(10);

/// Checkpoints through a connection of its own.
pub(super) struct GuestCheckpointPolicy {
    own: Connection,
    /// Absent for a database that other processes write to.
    pause: Option<WritePause>,
}

// === impl GuestCheckpointPolicy ===

impl GuestCheckpointPolicy {
    pub fn new(own: Connection, pause: Option<WritePause>) -> rusqlite::Result<Self> {
        own.busy_timeout(READER_TIMEOUT)?;
        Ok(Self { own, pause })
    }
}

impl WalSource for GuestCheckpointPolicy {
    fn connection(&self) -> &Connection {
        &self.own
    }

    /// The time of the latest write to the log: a guest's connections do not count their changes together.
    fn version(&self, log: &Path) -> Option<u64> {
        let written = std::fs::metadata(log).ok()?.modified().ok()?;
        let since = written.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_nanos()).ok()
    }

    fn checkpoint_if_due(&mut self, log: &Path) -> rusqlite::Result<()> {
        let is_due = std::fs::metadata(log).is_ok_and(|log| log.len() > CHECKPOINT_BYTES);
        if is_due {
            // Readers and writers continue meanwhile.
            checkpoint(&self.own, CheckpointMode::Passive)?;
            // What was written meanwhile, and the end of the log: a writer that never rests would make it grow without a bound.
            let _no_writes = self.pause.as_ref().map(WritePause::begin);
            checkpoint(&self.own, CheckpointMode::Truncate)?;
        }
        Ok(())
    }

    fn checkpoint_all(&mut self) -> rusqlite::Result<()> {
        checkpoint(&self.own, CheckpointMode::Truncate).map(drop)
    }
}

//! The thread that keeps the write-ahead log synced and small, so that no call has to.
//!
//! Two duties. Every [`INTERVAL`] in which something was written, the log is synced: that bounds
//! what a power cut can take. When the log has grown past [`CHECKPOINT_PAGES`], it is folded into the file.
//! Folding copies nearly everything while calls go on; only the last few pages, and the write that
//! makes SQLite reuse the log from its start (SQLite syncs the log's header there), happen under
//! the connection's mutex. Without that last step a busy writer would keep the log growing for ever.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::group_commit::GroupCommit;

/// How often the log is looked at: what a power cut can take at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// Pages in the log (of 4 KiB) from which it is folded: 32 MiB.
const CHECKPOINT_PAGES: u32 = 8192;

/// Folds that are tried without holding up anybody, before the rest is done under the mutex.
const PASSIVE_ATTEMPTS: usize = 3;

/// The owner of the thread; dropping it ends the thread and waits for it.
pub(super) struct Checkpointer {
    /// Never sent on: that it is gone is the message.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    own: Connection,
    shared: Arc<GroupCommit>,
    log: PathBuf,
    seen: u64,
}

// === impl Checkpointer ===

impl Checkpointer {
    pub(super) fn start(path: &Path, shared: Arc<GroupCommit>) -> rusqlite::Result<Self> {
        let own = super::connect(path)?;
        own.execute_batch("CREATE TABLE IF NOT EXISTS socar_fold (folds INTEGER NOT NULL)")?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let mut work = Work {
            own,
            shared,
            log: log.into(),
            seen: 0,
        };
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    work.look();
                }
            })
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed when it happened; there is nothing to add here.
            let _ = thread.join();
        }
    }
}

// === impl Work ===

impl Work {
    fn look(&mut self) {
        let written = self.shared.lock().total_changes();
        if written == self.seen {
            return;
        }
        self.seen = written;
        // Syncing through a handle of our own takes no SQLite lock, so nobody waits for the disk.
        if let Err(error) = File::open(&self.log).and_then(|log| log.sync_data()) {
            tracing::warn!(%error, "the write-ahead log could not be synced");
        }
        if let Err(error) = self.checkpoint_if_due() {
            tracing::warn!(%error, "the write-ahead log could not be folded");
        }
    }

    fn checkpoint_if_due(&self) -> rusqlite::Result<()> {
        if self.checkpoint("NOOP")?.pages < CHECKPOINT_PAGES {
            return Ok(());
        }
        for _ in 0..PASSIVE_ATTEMPTS {
            if self.checkpoint("PASSIVE")?.done() {
                break;
            }
        }
        let _everyone_waits = self.shared.lock_committed();
        if self.checkpoint("PASSIVE")?.done() {
            self.own.execute(
                "INSERT INTO socar_fold (rowid, folds) VALUES (1, 1)
                 ON CONFLICT (rowid) DO UPDATE SET folds = folds + 1",
                [],
            )?;
        }
        Ok(())
    }

    fn checkpoint(&self, mode: &str) -> rusqlite::Result<Progress> {
        self.own
            .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
                Ok(Progress {
                    pages: row.get(1)?,
                    folded: row.get(2)?,
                })
            })
    }
}

/// How much is in the log, and how much of that is in the file too.
struct Progress {
    pages: u32,
    folded: u32,
}

impl Progress {
    fn done(&self) -> bool {
        self.folded == self.pages
    }
}

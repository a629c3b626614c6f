//! Maintenance of a write-ahead log (WAL): one thread for each SQLite file syncs the log and checkpoints it.
//!
//! Commits with `synchronous = NORMAL` do not wait for the disk. The thread syncs the log after every [`INTERVAL`] in
//! which something was written, so a power failure loses the writes of at most that interval. It syncs through a file
//! handle of its own and holds no SQLite lock, so no call waits for the disk.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tracing::{info, warn};

use crate::file_identity::{FileIdentity, FileLost};

/// The time between two looks at the log: the writes of this interval are what a power failure can lose.
const INTERVAL: Duration = Duration::from_millis(200);

/// A SQLite file whose write-ahead log is maintained.
pub trait WalSource: Send + 'static {
    /// The connection that checkpoints.
    fn connection(&self) -> &Connection;

    /// A number that changes with every write to the database, or `None` before the first write. `log` is the path of
    /// the write-ahead log.
    fn version(&self, log: &Path) -> Option<u64>;

    /// Copies the log into the database file if it has grown enough. Called after each sync; it may take as long as
    /// the copying takes, but must not hold up other connections for that long.
    ///
    /// # Errors
    /// If SQLite fails. The call is repeated after the next write.
    fn checkpoint_if_due(&mut self, log: &Path) -> rusqlite::Result<()>;

    /// Copies the whole log into the database file, at the end of the process. Nothing is written meanwhile.
    ///
    /// # Errors
    /// If SQLite fails.
    fn checkpoint_all(&mut self) -> rusqlite::Result<()>;
}

/// The owner of the thread; dropping it ends the thread and waits for it.
pub struct WalMaintenance {
    /// Nothing is ever sent: the thread ends when the sender is dropped.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    failure: SharedFailure,
}

/// Why the log could not be synced at the last attempt.
type SharedFailure = Arc<Mutex<Option<String>>>;

/// How `PRAGMA wal_checkpoint` works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointMode {
    /// Copies nothing and reports the size of the log.
    Noop,
    /// Copies what it can without waiting for a reader or a writer.
    Passive,
    /// Copies everything and empties the log.
    Truncate,
}

/// The state of the log after a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointProgress {
    /// Pages in the log, of 4 KiB each.
    pub pages: u32,
    /// Pages of the log that are in the database file too.
    pub copied: u32,
}

struct MaintenanceTask<S> {
    source: S,
    identity: Arc<FileIdentity>,
    /// The version that is synced.
    synced: Option<u64>,
    failure: SharedFailure,
    is_checkpoint_failing: bool,
}

/// Runs one checkpoint.
///
/// # Errors
/// If SQLite fails.
pub fn checkpoint(
    connection: &Connection,
    mode: CheckpointMode,
) -> rusqlite::Result<CheckpointProgress> {
    let statement = match mode {
        CheckpointMode::Noop => "PRAGMA wal_checkpoint(NOOP)",
        CheckpointMode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        CheckpointMode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.query_row(statement, [], |row| {
        Ok(CheckpointProgress {
            pages: row.get(1)?,
            copied: row.get(2)?,
        })
    })
}

// === impl WalMaintenance ===

impl WalMaintenance {
    /// Maintains the log of the database file until the value is dropped.
    ///
    /// # Errors
    /// If the operating system starts no thread.
    pub fn start(identity: Arc<FileIdentity>, source: impl WalSource) -> io::Result<Self> {
        let mut task = MaintenanceTask {
            source,
            identity,
            synced: None,
            failure: SharedFailure::default(),
            is_checkpoint_failing: false,
        };
        let failure = task.failure.clone();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("wal".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    task.run();
                }
                task.finish();
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            failure,
        })
    }

    /// Pretends that the last sync ended like this.
    #[cfg(test)]
    pub(crate) fn set_failure(&self, failure: Option<String>) {
        *self.failure.lock() = failure;
    }

    /// Why the writes since the last success are not safe from a power failure, if they are not.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }
}

impl Drop for WalMaintenance {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has reported a panic of the thread.
            let _ = thread.join();
        }
    }
}

// === impl CheckpointProgress ===

impl CheckpointProgress {
    /// Whether the whole log is in the database file, so that the next write can reuse the log from its start.
    pub fn is_complete(self) -> bool {
        self.copied == self.pages
    }
}

// === impl MaintenanceTask ===

impl<S: WalSource> MaintenanceTask<S> {
    fn run(&mut self) {
        if self.check_log().is_err() {
            return;
        }
        let log = self.identity.log();
        let version = self.source.version(log);
        if version == self.synced {
            return;
        }
        match sync(log) {
            Ok(()) => {
                self.synced = version;
                self.report(None);
            }
            Err(error) => self.report(Some(format!(
                "the write-ahead log cannot be synced: {error}"
            ))),
        }
        let checkpoint = self.source.checkpoint_if_due(log);
        // A cause that lasts is logged once.
        let was_failing = mem::replace(&mut self.is_checkpoint_failing, checkpoint.is_err());
        if let Err(error) = checkpoint
            && !was_failing
        {
            warn!(%error, log = %log.display(), "the write-ahead log could not be checkpointed");
        }
    }

    /// Notes the result of a sync, and logs a cause once.
    fn report(&self, failure: Option<String>) {
        let mut last = self.failure.lock();
        if *last == failure {
            return;
        }
        let log = self.identity.log().display();
        match &failure {
            Some(error) => warn!(%log, error, "writes are not safe from a power failure"),
            None => info!(%log, "writes are safe from a power failure again"),
        }
        *last = failure;
    }

    /// Leaves everything in the database file: a copy of that file alone is then complete.
    fn finish(&mut self) {
        let log = self.identity.log().display();
        if let Err(error) = self.check_log() {
            warn!(%error, %log, "the write-ahead log could not be copied into the database");
            self.identity.protect_at_close(self.source.connection());
            return;
        }
        if let Err(error) = self.source.checkpoint_all() {
            warn!(%error, %log, "the write-ahead log could not be copied into the database");
        }
    }

    /// The missing pages of a truncated log would be copied as zeros.
    fn check_log(&self) -> Result<(), FileLost> {
        self.identity.check_log(self.source.connection())
    }
}

/// Syncs the log, if there is one: SQLite creates it with the first write.
fn sync(log: &Path) -> io::Result<()> {
    match File::open(log) {
        Ok(log) => log.sync_data(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

//! The thread that syncs a database's write-ahead log and folds it back into the file, so that no statement has to
//! wait for the disk.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use tracing::warn;

/// How often the log is looked at: what a power cut can take at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// Bytes of log from which it is folded.
const FOLD_AT: u64 = 16 << 20;

/// Ends its thread when dropped.
pub(super) struct Upkeep {
    _stop: mpsc::Sender<()>,
}

struct Work {
    connection: Connection,
    log: PathBuf,
    seen: Option<SystemTime>,
}

impl Upkeep {
    /// Looks after the database file from now on, through a connection of its own.
    pub(super) fn start(path: &Path, connection: Connection) -> std::io::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let mut work = Work {
            connection,
            log: log.into(),
            seen: None,
        };
        let (stop, stopped) = mpsc::channel::<()>();
        std::thread::Builder::new()
            .name("upkeep".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = work.look() {
                        warn!(%error, log = %work.log.display(), "a database could not be synced");
                    }
                }
            })?;
        Ok(Self { _stop: stop })
    }
}

impl Work {
    fn look(&mut self) -> anyhow::Result<()> {
        // A log that nobody has written yet does not exist.
        let Ok(log) = File::open(&self.log) else {
            return Ok(());
        };
        let about = log.metadata()?;
        let written = about.modified().ok();
        if written == self.seen {
            return Ok(());
        }
        log.sync_data()?;
        self.seen = written;
        if about.len() > FOLD_AT {
            // Whoever reads or writes goes on meanwhile; the next writer then starts the log anew.
            self.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

//! The one embedded SQLite file: key-value stores, event log and bus all live in it.
//!
//! One file means one history: after a power cut the stores and the log are a consistent prefix of
//! what happened, never one without the other. A call takes some ten microseconds, so it runs where
//! the caller stands, under a mutex and with cached statements; a hop to another thread would cost
//! more than the work. `synchronous = NORMAL` commits without an fsync; a thread of its own syncs
//! and folds the write-ahead log ([`checkpoint`]).
//!
//! A second process may share the file (`socar dead-letters`, stock Spin): waiting for its lock is
//! bounded by [`LOCK_PATIENCE`].

mod checkpoint;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};

use self::checkpoint::Checkpointer;

/// How long a call waits for another process to let go of the file.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Enough for every statement of stores, log and bus to stay prepared.
const CACHED_STATEMENTS: usize = 96;

/// A shared handle to one SQLite file, or to a private database in memory.
pub struct Database {
    // Declared first, so that it is closed last: SQLite folds the log away with its last connection.
    checkpointer: Option<Checkpointer>,
    connection: Arc<Mutex<Connection>>,
}

/// What went wrong in the embedded database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database {} cannot be opened", .path.display())]
    Open {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("the database stayed locked by another process")]
    Locked(#[source] rusqlite::Error),
    #[error("the embedded database failed")]
    Failed(#[source] rusqlite::Error),
}

// === impl Database ===

impl Database {
    /// Opens the file, creating it and the folders above it when they are missing.
    ///
    /// # Errors
    /// If the file cannot be created, is no SQLite database, or stays locked by another process.
    pub fn open(path: &Path) -> Result<Arc<Self>, DatabaseError> {
        let failed = |source| DatabaseError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            // A folder that cannot be made is reported by the open below, which names the file.
            let _ = std::fs::create_dir_all(folder);
        }
        let connection = Arc::new(Mutex::new(connect(path).map_err(failed)?));
        let checkpointer = Checkpointer::start(path, connection.clone()).map_err(failed)?;
        Ok(Arc::new(Self {
            checkpointer: Some(checkpointer),
            connection,
        }))
    }

    /// A database that lives as long as its handles.
    ///
    /// # Errors
    /// If SQLite has no memory for it.
    pub fn in_memory() -> Result<Arc<Self>, DatabaseError> {
        let connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        Ok(Arc::new(Self {
            checkpointer: None,
            connection: Arc::new(Mutex::new(connection)),
        }))
    }

    /// Runs reads, or one writing statement. `work` must wait for nothing else: all callers queue
    /// behind it.
    ///
    /// # Errors
    /// If SQLite fails, or the file stays locked by another process.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        Ok(work(&self.connection.lock())?)
    }

    /// Runs several statements as one writing transaction, undone as a whole when `work` fails.
    ///
    /// # Errors
    /// If `work` or SQLite fails, or the file stays locked by another process.
    pub fn transaction<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.connection.lock();
        let transaction = Transaction::begin(&connection)?;
        let done = work(&connection)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Creates tables and indexes that are missing.
    ///
    /// # Errors
    /// If SQLite refuses the schema, or the file stays locked by another process.
    pub fn create(&self, schema: &str) -> Result<(), DatabaseError> {
        self.transaction(|connection| Ok(connection.execute_batch(schema)?))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Its thread holds the other half of the connection: it ends before the file is closed.
        drop(self.checkpointer.take());
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(error),
            _ => Self::Failed(error),
        }
    }
}

/// A writing transaction from its first statement on, so that it never loses a race half-way;
/// undone when it is dropped uncommitted, also by a panic.
struct Transaction<'c> {
    connection: &'c Connection,
    open: bool,
}

impl<'c> Transaction<'c> {
    fn begin(connection: &'c Connection) -> Result<Self, DatabaseError> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self {
            connection,
            open: true,
        })
    }

    fn commit(mut self) -> Result<(), DatabaseError> {
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SQLite undoes some failed transactions by itself; a second ROLLBACK would be an error.
        if self.open
            && !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be undone");
        }
    }
}

/// A connection to the file, in the mode that every connection of the host uses.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_handler(Some(wait_for_lock))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

/// Another process holds the lock for microseconds as a rule, so the first waits are short.
fn wait_for_lock(waits: i32) -> bool {
    const PAUSE: Duration = Duration::from_millis(1);
    let waits = u32::try_from(waits).unwrap_or(u32::MAX);
    if waits < 10 {
        std::thread::yield_now();
    } else {
        std::thread::sleep(PAUSE);
    }
    PAUSE.saturating_mul(waits) < LOCK_PATIENCE
}

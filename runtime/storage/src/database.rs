//! The one embedded SQLite file: key-value stores, event log and bus all live in it.
//!
//! One file means one history: after a crash the stores and the log are a consistent prefix of what
//! happened, never one without the other. A call takes some ten microseconds, so it runs where the
//! caller stands, under a mutex and with cached statements; a hop to another thread would cost more
//! than the work.
//!
//! A commit costs more than the statements before it, so writes are committed in batches ([`group_commit`]):
//! whatever leaves this process because of a write waits for [`CommitWatermark::settle`], and nothing else
//! does. `synchronous = NORMAL` commits without an fsync; a thread of its own syncs and folds the
//! write-ahead log ([`checkpoint`]).
//!
//! A second process may share the file (`socar dead-letters`, stock Spin): waiting for its lock is
//! bounded by [`LOCK_TIMEOUT`].

mod checkpoint;
mod group_commit;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use self::checkpoint::Checkpointer;
use self::group_commit::{Committer, GroupCommit};

pub use self::group_commit::CommitWatermark;

/// How long a call waits for another process to let go of the file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Enough for every statement of stores, log and bus to stay prepared.
const CACHED_STATEMENTS: usize = 96;

/// A shared handle to one SQLite file, or to a private database in memory.
pub struct Database {
    // Both have threads that hold the other half of the connection: they end before the file is closed, and SQLite
    // folds the log away with its last connection.
    committer: Option<Committer>,
    checkpointer: Option<Checkpointer>,
    commits: Arc<GroupCommit>,
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
    #[error("the embedded database could not commit what was written")]
    CommitFailed,
}

// === impl Database ===

impl Database {
    /// Opens the file, creating it and the folders above it when they are missing.
    ///
    /// # Errors
    /// If the file cannot be created, is no SQLite database, or stays locked by another process.
    pub fn open(path: &Path) -> Result<Arc<Self>, DatabaseError> {
        Self::open_file(path, true)
    }

    /// Opens a file that others may write to at any time, stock Spin for one: every write is committed on its own.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_shared(path: &Path) -> Result<Arc<Self>, DatabaseError> {
        Self::open_file(path, false)
    }

    fn open_file(path: &Path, grouped: bool) -> Result<Arc<Self>, DatabaseError> {
        let failed = |source| DatabaseError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            // A folder that cannot be made is reported by the open below, which names the file.
            let _ = std::fs::create_dir_all(folder);
        }
        let commits = Arc::new(GroupCommit::new(connect(path).map_err(failed)?, grouped));
        let checkpointer = Checkpointer::start(path, commits.clone()).map_err(failed)?;
        let committer = grouped.then(|| Committer::start(commits.clone()));
        Ok(Arc::new(Self {
            committer: committer.transpose().map_err(failed)?,
            checkpointer: Some(checkpointer),
            commits,
        }))
    }

    /// A database that lives as long as its handles. Nothing survives it, so there is nothing to wait for.
    ///
    /// # Errors
    /// If SQLite has no memory for it.
    pub fn in_memory() -> Result<Arc<Self>, DatabaseError> {
        let connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        Ok(Arc::new(Self {
            committer: None,
            checkpointer: None,
            commits: Arc::new(GroupCommit::new(connection, false)),
        }))
    }

    /// Runs reads. `work` must wait for nothing else: all callers queue behind it.
    ///
    /// # Errors
    /// If SQLite fails, or the file stays locked by another process.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        Ok(work(&self.commits.lock())?)
    }

    /// Runs one writing statement.
    ///
    /// # Errors
    /// If SQLite fails, or the file stays locked by another process.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        self.commits.write(work)
    }

    /// Runs several statements as one, undone as a whole when `work` fails.
    ///
    /// # Errors
    /// If `work` or SQLite fails, or the file stays locked by another process.
    pub fn transaction<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.commits.transaction(work)
    }

    /// Whether what is written is kept. If it was not the last time, that is tried anew.
    pub fn can_commit(&self) -> bool {
        self.commits.can_commit() || {
            let tried = self.transaction(|connection| {
                connection.pragma_update(None, "user_version", 0)?;
                Ok::<_, DatabaseError>(())
            });
            drop(self.commits.lock_committed());
            tried.is_ok() && self.commits.can_commit()
        }
    }

    /// Creates tables and indexes that are missing.
    ///
    /// # Errors
    /// If SQLite refuses the schema, or the file stays locked by another process.
    pub fn create_schema(&self, schema: &str) -> Result<(), DatabaseError> {
        self.transaction(|connection| Ok::<_, DatabaseError>(connection.execute_batch(schema)?))?;
        drop(self.commits.lock_committed());
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.committer.take());
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
    // Without it SQLite plans a statement anew whenever its parameters change, which is every time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
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
    PAUSE.saturating_mul(waits) < LOCK_TIMEOUT
}

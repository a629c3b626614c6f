//! The embedded SQLite file that holds the key-value stores, the event log and the bus.
//!
//! One file means one history: after a crash, stores and log are a consistent prefix of what happened. A call takes
//! some ten microseconds, so it runs on the caller's thread, under a mutex and with cached statements; moving it to
//! another thread would cost more than the work.
//!
//! A commit costs more than the statements before it, so writes are committed in groups ([`group_commit`]). Whatever
//! leaves this process because of a write waits for [`CommitWatermark::wait_durable`]; nothing else waits.
//! `synchronous = NORMAL` commits without an fsync; a thread syncs and checkpoints the write-ahead log ([`crate::wal`]).
//!
//! A second process may use the file (stock Spin, `socar dead-letters` while no host runs). A call waits at most
//! [`LOCK_TIMEOUT`] for its lock: all other calls wait behind it, on the threads that serve requests.

mod batched_writer;
mod checkpoint;
mod commit_signal;
mod committer;
mod damage;
mod foreign_writes;
mod group_commit;
mod no_change;
mod savepoint;
#[cfg(test)]
mod tests;
mod watermark;
mod write_fence;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use self::checkpoint::CheckpointPolicy;
use self::committer::Committer;
use self::damage::Damage;
use self::foreign_writes::ForeignWrites;
use self::group_commit::{CommitMode, GroupCommit};
use crate::file_identity::{FileIdentity, FileLost};
use crate::statement_memory;
use crate::wal::WalMaintenance;
use crate::work::{CountedDatabase, count_statements};

pub use self::batched_writer::{BatchedWriter, WritePause};
pub use self::group_commit::{FailedWrite, LostBatches};
pub use self::watermark::CommitWatermark;
pub use self::write_fence::{FencedCall, WriteFence};

/// The longest time that a call waits for a lock which another process holds.
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// The number of prepared statements that a connection keeps: enough for all statements of stores, log and bus.
const CACHED_STATEMENTS: usize = 96;

/// A shared handle to one SQLite file, or to a private database in memory.
pub struct Database {
    // The threads of both use the file. They end before the last connection is closed, and SQLite then checkpoints and
    // removes the write-ahead log.
    committer: Option<Committer>,
    wal_maintenance: Mutex<Option<WalMaintenance>>,
    identity: Option<Arc<FileIdentity>>,
    commits: Arc<GroupCommit>,
    foreign_writes: Option<ForeignWrites>,
    /// Absent in memory.
    damage: Option<Damage>,
}

/// An error of the embedded database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be created, or is not a SQLite database.
    #[error("the database {} cannot be opened; if it is damaged, restore it from a backup", .path.display())]
    Open {
        path: PathBuf,
        source: rusqlite::Error,
    },
    /// Another process held the lock longer than [`LOCK_TIMEOUT`]. The same call may succeed later.
    #[error("the database stayed locked by another process")]
    Locked(#[source] rusqlite::Error),
    /// Any other error of SQLite.
    #[error("the embedded database failed")]
    Failed(#[source] rusqlite::Error),
    /// The file or its log was removed, replaced or truncated.
    #[error(transparent)]
    Lost(#[from] FileLost),
    /// A statement has met damage in the file.
    #[error("{} is damaged: stop the host, restore the file from a backup, and start the host again", .0.display())]
    Damaged(PathBuf),
    /// The write-ahead log is not synced.
    #[error("{0}")]
    NotSynced(String),
    /// A group commit failed: writes that had succeeded before it are undone.
    #[error("the embedded database could not commit earlier writes")]
    CommitFailed,
}

// === impl Database ===

impl Database {
    /// Opens the file and creates it, with the directories above it, if it is missing.
    ///
    /// # Errors
    /// [`DatabaseError::Open`] if the file cannot be created, is not a SQLite database, or stays locked by another
    /// process.
    pub fn open(path: &Path) -> Result<Arc<Self>, DatabaseError> {
        Self::open_file(path, CommitMode::Grouped)
    }

    /// Opens a file that another process, such as stock Spin, may write to at any time: each write is committed alone.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_shared(path: &Path) -> Result<Arc<Self>, DatabaseError> {
        Self::open_file(path, CommitMode::Immediate)
    }

    fn open_file(path: &Path, mode: CommitMode) -> Result<Arc<Self>, DatabaseError> {
        let failed = |source| DatabaseError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(directory) = path.parent() {
            // Opening the file reports a directory that cannot be created, with the file's path.
            let _ = std::fs::create_dir_all(directory);
        }
        let connection = connect(path).map_err(failed)?;
        let io_failed = |error| failed(rusqlite::Error::ToSqlConversionFailure(Box::new(error)));
        let identity = Arc::new(FileIdentity::of(path).map_err(io_failed)?);
        let path = identity.database();
        let commits = GroupCommit::new(connection, mode, Some(identity.clone()), Arc::default());
        let commits = Arc::new(commits);
        let policy = CheckpointPolicy::new(connect(path).map_err(failed)?, commits.clone());
        let policy = policy.map_err(failed)?;
        let wal_maintenance = WalMaintenance::start(identity.clone(), policy);
        let committer = match mode {
            CommitMode::Grouped => Some(Committer::start(commits.clone())),
            CommitMode::Immediate => None,
        };
        Ok(Arc::new(Self {
            committer: committer.transpose().map_err(io_failed)?,
            wal_maintenance: Mutex::new(Some(wal_maintenance.map_err(io_failed)?)),
            commits,
            foreign_writes: Some(ForeignWrites::of(identity.log())),
            damage: Some(Damage::none(path)),
            identity: Some(identity),
        }))
    }

    /// Opens a database in memory that ends with its last handle. Its writes are never durable, so no call waits.
    ///
    /// # Errors
    /// If SQLite has no memory for it.
    pub fn in_memory() -> Result<Arc<Self>, DatabaseError> {
        statement_memory::install();
        let connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        Ok(Arc::new(Self {
            committer: None,
            wal_maintenance: Mutex::default(),
            identity: None,
            commits: Arc::new(GroupCommit::new(
                connection,
                CommitMode::Immediate,
                None,
                Arc::default(),
            )),
            foreign_writes: None,
            damage: None,
        }))
    }

    /// Runs reading statements. `work` holds the mutex of the database, so it must not wait for anything else.
    ///
    /// # Errors
    /// If SQLite fails, or the file stays locked by another process.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        let read = work(&self.commits.lock());
        self.noted(read.map_err(DatabaseError::from))
    }

    /// Runs one writing statement. `work` holds the mutex of the database, so it must not wait for anything else.
    ///
    /// # Errors
    /// If SQLite fails, or the file stays locked by another process.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        self.noted(self.commits.write(|connection| Ok(work(connection)?)))
    }

    /// Runs reading statements and then at most one that writes, atomically. `work` holds the mutex of the database, so it must
    /// not wait for anything else.
    ///
    /// # Errors
    /// If `work` or SQLite fails, or the file stays locked by another process.
    pub fn read_and_write<T, E: From<DatabaseError> + Error + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.noted(self.commits.read_and_write(work))
    }

    /// Runs several statements atomically: all of them are undone if `work` returns an error. `work` holds the mutex of
    /// the database, so it must not wait for anything else.
    ///
    /// # Errors
    /// If `work` or SQLite fails, or the file stays locked by another process.
    pub fn transaction<T, E: From<DatabaseError> + Error + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.noted(self.commits.transaction(work))
    }

    fn noted<T, E: Error + 'static>(&self, result: Result<T, E>) -> Result<T, E> {
        if let (Err(error), Some(damage)) = (&result, &self.damage) {
            damage.note(error);
        }
        result
    }

    /// Calls `add` before each commit of a batch of writes, with the connection: its statements cost no commit of their
    /// own. `add` holds the mutex of the database. Only the first call on a database has an effect.
    pub fn before_commit(&self, add: impl Fn(&Connection) + Send + Sync + 'static) {
        self.commits.before_commit(Box::new(add));
    }

    /// The number of batches of writes that could not be committed.
    pub fn lost_batches(&self) -> LostBatches {
        self.commits.lost_batches()
    }

    /// What closes when a batch of writes is lost, and refuses all writes until it is opened.
    pub fn fence(&self) -> &Arc<WriteFence> {
        self.commits.fence()
    }

    /// Commits a write that changes nothing, also while the fence is closed.
    ///
    /// # Errors
    /// The cause, if writes are not committed.
    pub fn try_commit(&self) -> Result<(), DatabaseError> {
        self.commits.try_commit()
    }

    /// Whether another connection, for example of another process, has written since the last call. A call executes no
    /// statement unless the write-ahead log has grown. It may report a write that is not one.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn was_changed_by_others(&self) -> Result<bool, DatabaseError> {
        match &self.foreign_writes {
            Some(foreign_writes) => Ok(foreign_writes.detect(&self.commits.lock())?),
            None => Ok(false),
        }
    }

    /// Checks that no statement has met damage in the file.
    ///
    /// # Errors
    /// If one has.
    pub fn check_damage(&self) -> Result<(), DatabaseError> {
        match &self.damage {
            Some(damage) => damage.check(self.commits.is_damaged()),
            None => Ok(()),
        }
    }

    /// Checks that writes are kept: the file and its log are in their place, whole and without known damage, commits succeed, and
    /// the log is synced.
    ///
    /// # Errors
    /// The cause, if they are not.
    pub fn check(&self) -> Result<(), DatabaseError> {
        self.check_damage()?;
        if let Some(identity) = &self.identity {
            identity.check()?;
        }
        self.commits.check()?;
        let wal_maintenance = self.wal_maintenance.lock();
        match wal_maintenance.as_ref().and_then(WalMaintenance::failure) {
            Some(failure) => Err(DatabaseError::NotSynced(failure)),
            None => Ok(()),
        }
    }

    /// Commits what is written and copies it into the database file, at the end of the process; blocks as long as that
    /// takes. Later writes are committed, but no longer synced.
    ///
    /// # Errors
    /// If earlier writes could not be committed, or their file is lost.
    pub fn close(&self) -> Result<(), DatabaseError> {
        let committed = self.commits.commit_now();
        // SQLite removes the log with its last connection.
        let kept = self.identity.as_ref().map_or(Ok(()), |it| it.check());
        let wal_maintenance = self.wal_maintenance.lock().take();
        drop(wal_maintenance);
        kept?;
        if let Some(identity) = &self.identity {
            identity.check_latest()?;
        }
        committed
    }

    /// Creates the tables and indexes of `schema` that are missing, and commits them.
    ///
    /// # Errors
    /// If SQLite rejects the schema, or the file stays locked by another process.
    pub fn create_schema(&self, schema: &str) -> Result<(), DatabaseError> {
        self.transaction(|connection| Ok::<_, DatabaseError>(connection.execute_batch(schema)?))?;
        drop(self.commits.lock_committed());
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.committer.take());
        drop(self.wal_maintenance.get_mut().take());
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

impl DatabaseError {
    /// Whether the file is damaged.
    pub fn is_damage(&self) -> bool {
        damage::is_damage(self)
    }
}

impl FailedWrite for DatabaseError {
    fn is_caused_by_statement(&self) -> bool {
        matches!(self, Self::Failed(error) if is_caused_by_statement(error))
    }
}

/// Whether the error says nothing about the disk: the statement is the cause, or the file is damaged, in which every statement
/// that meets the damage fails, however much room there is.
pub fn is_caused_by_statement(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::OperationInterrupted
                | ErrorCode::OutOfMemory
                | ErrorCode::ConstraintViolation
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
        )
    )
}

/// Opens a connection to the file, in the mode that every connection of the host uses.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    statement_memory::install();
    let connection = Connection::open(path)?;
    connection.busy_handler(Some(wait_for_lock))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -8192;
         PRAGMA temp_store = MEMORY;",
    )?;
    // Without QPSG, SQLite plans a statement again whenever its parameters change, which is at every call.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    count_statements(&connection, CountedDatabase::State);
    Ok(connection)
}

/// Waits before the next attempt to lock the file. The first waits are short: a process usually holds the lock for
/// microseconds.
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

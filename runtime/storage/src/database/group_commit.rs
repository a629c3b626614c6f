//! Writes are committed in batches, and whoever needs to know waits for the commit.
//!
//! All writes of the process go through one connection, in one order. The first one after a commit begins a
//! transaction, the next ones join it, also those of other callers. A crash loses the open batch as a whole, so what is
//! left is a prefix of history, and nobody outside has heard of the rest: an answer to a client, an event handed to a
//! component, a request to another host go out after [`CommitWatermark::settle`]. Inside the process nobody waits, because
//! whoever could have seen the lost writes is gone with them.
//!
//! Who settles commits the batch himself if the last commit is [`MIN_COMMIT_INTERVAL`] ago; otherwise the [`Committer`] does so when
//! it is, for all who wait by then. A batch nobody waits for is committed after [`MAX_BATCH_AGE`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rusqlite::Connection;
use tokio::sync::watch;

use super::{Database, DatabaseError};

/// The least time between two commits: what a caller may have to wait under load.
const MIN_COMMIT_INTERVAL: Duration = Duration::from_millis(1);

/// How long a batch stays open if nobody waits for it. Other processes cannot write meanwhile.
const MAX_BATCH_AGE: Duration = Duration::from_millis(5);

/// What a call writes, from its first moment on.
#[derive(Clone)]
pub struct CommitWatermark {
    database: Arc<Database>,
    first_batch: u64,
}

/// The connection, and how far its writes are committed.
pub(super) struct GroupCommit {
    connection: Mutex<Connection>,
    /// False if every write is committed on its own.
    grouped: bool,
    /// The newest batch that was begun. Changes under the mutex of the connection.
    begun: AtomicU64,
    progress: watch::Sender<CommitProgress>,
    signal: Mutex<CommitterSignal>,
    signalled: Condvar,
}

/// What became of the batches.
#[derive(Clone, Copy)]
struct CommitProgress {
    /// The newest that is over, whatever became of it.
    last_ended: u64,
    /// The newest that was lost; 0 if none was.
    last_lost: u64,
    /// When the newest ended.
    ended_at: Option<Instant>,
}

/// What the committer waits for.
#[derive(Default)]
struct CommitterSignal {
    /// A batch was begun.
    begun: bool,
    /// Somebody waits for it.
    wanted: bool,
    /// The database is closed.
    closed: bool,
}

/// The owner of the thread that commits; dropping it commits what is left.
pub(super) struct Committer {
    commits: Arc<GroupCommit>,
    thread: Option<JoinHandle<()>>,
}

/// Several statements as one; undone when it is dropped unreleased, also by a panic.
pub(super) struct Savepoint<'c> {
    connection: &'c Connection,
    open: bool,
}

// === impl CommitWatermark ===

impl CommitWatermark {
    /// Whatever is written to the database from now on.
    pub fn from_now(database: &Arc<Database>) -> Self {
        Self {
            database: database.clone(),
            first_batch: database.commits.next(),
        }
    }

    /// Returns when all of it is committed: a crash of this process takes none of it.
    ///
    /// # Errors
    /// If some of it may have been lost.
    pub async fn wait_durable(&self) -> Result<(), DatabaseError> {
        self.database.commits.wait_durable(self.first_batch).await
    }
}

impl std::fmt::Debug for CommitWatermark {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("CommitWatermark")
            .field(&self.first_batch)
            .finish()
    }
}

// === impl GroupCommit ===

impl GroupCommit {
    pub fn new(connection: Connection, grouped: bool) -> Self {
        let progress = CommitProgress {
            last_ended: 0,
            last_lost: 0,
            ended_at: None,
        };
        Self {
            connection: Mutex::new(connection),
            grouped,
            begun: AtomicU64::new(0),
            progress: watch::Sender::new(progress),
            signal: Mutex::default(),
            signalled: Condvar::new(),
        }
    }

    /// The connection, for reads.
    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock()
    }

    /// The connection with no batch open, for what must happen between two.
    pub fn lock_committed(&self) -> MutexGuard<'_, Connection> {
        let connection = self.connection.lock();
        let _ = self.commit_on(&connection);
        connection
    }

    /// Runs one writing statement.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        let connection = self.connection.lock();
        match self.grouped {
            true => self.join(&connection, |connection| Ok(work(connection)?)),
            false => Ok(work(&connection)?),
        }
    }

    /// Runs several statements as one.
    pub fn transaction<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.connection.lock();
        let done = self.join(&connection, |connection| {
            let savepoint = Savepoint::begin(connection)?;
            let done = work(connection)?;
            savepoint.release()?;
            Ok(done)
        });
        match self.grouped || self.commit_on(&connection) {
            true => done,
            false => done.and(Err(DatabaseError::CommitFailed.into())),
        }
    }

    /// Runs statements in the open batch.
    fn join<T, E: From<DatabaseError>>(
        &self,
        connection: &Connection,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        if connection.is_autocommit() {
            self.begin(connection)?;
        }
        let done = work(connection);
        if connection.is_autocommit() {
            // The disk is full or broken, and SQLite has undone the whole batch by itself.
            self.end(true);
        }
        done
    }

    fn begin(&self, connection: &Connection) -> Result<(), DatabaseError> {
        // Writing from its first statement on, so that it never loses a race half-way.
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.begun.fetch_add(1, Ordering::AcqRel);
        let mut signal = self.signal.lock();
        signal.begun = true;
        self.signalled.notify_one();
        Ok(())
    }

    /// Whoever waits learns what became of it.
    fn commit(&self) {
        let _ = self.commit_on(&self.connection.lock());
    }

    /// Whether nothing was lost.
    fn commit_on(&self, connection: &Connection) -> bool {
        if connection.is_autocommit() {
            return true;
        }
        let committed = connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        if let Err(error) = &committed {
            tracing::error!(%error, "what was written could not be committed");
            // SQLite undoes some failed transactions by itself; a second ROLLBACK would be an error.
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a batch could not be undone");
            }
        }
        self.end(committed.is_err());
        committed.is_ok()
    }

    /// The newest batch is over. Called under the mutex of the connection.
    pub(super) fn end(&self, lost: bool) {
        let newest = self.begun.load(Ordering::Acquire);
        self.progress.send_modify(|progress| {
            progress.last_ended = newest;
            progress.ended_at = Some(Instant::now());
            if lost {
                progress.last_lost = newest;
            }
        });
    }

    /// Whether the last batch that is over was not lost.
    pub fn can_commit(&self) -> bool {
        let progress = *self.progress.borrow();
        progress.last_lost == 0 || progress.last_lost < progress.last_ended
    }

    /// The batch that the next write belongs to; they count from 1.
    fn next(&self) -> u64 {
        let begun = self.begun.load(Ordering::Acquire);
        let is_over = self.progress.borrow().last_ended >= begun;
        begun + u64::from(is_over)
    }

    async fn wait_durable(&self, first_batch: u64) -> Result<(), DatabaseError> {
        let wanted = self.begun.load(Ordering::Acquire);
        let mut progress = *self.progress.borrow();
        if progress.last_ended < wanted {
            if progress
                .ended_at
                .is_none_or(|at| at.elapsed() >= MIN_COMMIT_INTERVAL)
            {
                self.commit();
                progress = *self.progress.borrow();
            } else {
                progress = self.wait_ended(wanted).await?;
            }
        }
        match progress.last_lost >= first_batch {
            true => Err(DatabaseError::CommitFailed),
            false => Ok(()),
        }
    }

    async fn wait_ended(&self, wanted: u64) -> Result<CommitProgress, DatabaseError> {
        let mut progress = self.progress.subscribe();
        {
            let mut signal = self.signal.lock();
            if !signal.wanted {
                signal.wanted = true;
                self.signalled.notify_one();
            }
        }
        let ended = progress
            .wait_for(|progress| progress.last_ended >= wanted)
            .await;
        ended
            .map(|progress| *progress)
            .map_err(|_| DatabaseError::CommitFailed)
    }

    /// Returns when a batch is to be committed; false if there will be none any more.
    fn wait_for_work(&self) -> bool {
        let mut signal = self.signal.lock();
        while !signal.begun && !signal.closed {
            self.signalled.wait(&mut signal);
        }
        let until = Instant::now() + MAX_BATCH_AGE;
        while !signal.wanted
            && !signal.closed
            && !self.signalled.wait_until(&mut signal, until).timed_out()
        {}
        signal.begun = false;
        signal.wanted = false;
        !signal.closed
    }
}

// === impl Committer ===

impl Committer {
    pub fn start(commits: Arc<GroupCommit>) -> rusqlite::Result<Self> {
        let shared = commits.clone();
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                while shared.wait_for_work() {
                    shared.commit();
                    std::thread::sleep(MIN_COMMIT_INTERVAL);
                }
            })
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Self {
            commits,
            thread: Some(thread),
        })
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.commits.signal.lock().closed = true;
        self.commits.signalled.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed when it happened; there is nothing to add here.
            let _ = thread.join();
        }
        self.commits.commit();
    }
}

// === impl Savepoint ===

impl<'c> Savepoint<'c> {
    pub fn begin(connection: &'c Connection) -> Result<Self, DatabaseError> {
        connection.prepare_cached("SAVEPOINT one")?.execute([])?;
        Ok(Self {
            connection,
            open: true,
        })
    }

    pub fn release(mut self) -> Result<(), DatabaseError> {
        self.connection.prepare_cached("RELEASE one")?.execute([])?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        // SQLite undoes some failed transactions by itself, and this with them.
        if self.open
            && !self.connection.is_autocommit()
            && let Err(error) = self
                .connection
                .execute_batch("ROLLBACK TO one; RELEASE one")
        {
            tracing::error!(%error, "several statements could not be undone");
        }
    }
}

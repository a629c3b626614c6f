//! Group commit: writes of many callers are committed together, and only a caller that needs durability waits.
//!
//! All writes of the process go through one connection, in one order. The first write after a commit begins a
//! transaction, the *batch*; later writes of any caller join it. A crash loses the open batch as a whole, so the
//! remaining data is a prefix of the history. Nothing outside of the process has seen the lost writes: an answer to a
//! client, an event given to a component and a request to another host are sent after
//! [`super::CommitWatermark::wait_durable`]. Calls inside the process do not wait, because a crash ends all of them.
//!
//! A caller that waits commits the batch itself if the last commit is long enough ago ([`commit_interval`]). Otherwise the
//! [`super::committer::Committer`] commits at that time, for all callers that wait by then. It also commits a batch for
//! which no caller waits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;
use tokio::sync::watch;

use super::DatabaseError;
use super::commit_signal::CommitSignal;
use super::no_change::{run_without_change, write_nothing};
use super::savepoint::Savepoint;
use super::write_fence::WriteFence;
use crate::file_identity::FileIdentity;

/// The time between two commits for each caller that has waited for the first of them, up to [`MAX_COMMIT_INTERVAL`]. A
/// commit writes pages that every call changes, so it costs little more for many callers than for one.
const INTERVAL_PER_CALLER: Duration = Duration::from_millis(1);

/// The longest time between two commits: what a caller may have to wait under load.
pub(super) const MAX_COMMIT_INTERVAL: Duration = Duration::from_millis(3);

/// How long a thread of the runtime may wait for the connection. Writes of the host take microseconds; those of a component
/// can take as long as its call.
const MAX_BLOCKING: Duration = Duration::from_millis(1);

/// How long no commit must have failed until it is logged that they succeed again.
const RECOVERY_TIME: Duration = Duration::from_secs(1);

/// When a write is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitMode {
    /// Together with the writes around it.
    Grouped,
    /// Before the call returns.
    Immediate,
}

/// Whose state is in a database, and so what damage in its file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StateOwner {
    /// Everything depends on it: its damage closes the fence.
    Host,
    /// One component: its damage fails the calls that meet it.
    Component,
}

/// The connection, and how far its writes are committed.
pub(super) struct GroupCommit {
    connection: Mutex<Connection>,
    mode: CommitMode,
    owner: StateOwner,
    /// Whether a commit has met damage in the file.
    is_damaged: AtomicBool,
    /// The newest batch that was begun; batches count from 1. Changes under the mutex of the connection.
    begun: AtomicU64,
    progress: watch::Sender<CommitProgress>,
    /// The callers that have waited for the next commit so far.
    waiting: AtomicU32,
    signal: CommitSignal,
    /// The file of the connection; nothing is kept in one that was removed, or whose log was truncated.
    identity: Option<Arc<FileIdentity>>,
    /// The last failed commit, until it is logged that commits succeed again.
    last_failure: Mutex<Option<Instant>>,
    /// Whether a write has failed since the last check.
    is_suspect: AtomicBool,
    /// Whether writes of the open batch are finished, so that a call may know of them.
    has_finished_writes: AtomicBool,
    before_commit: OnceLock<BeforeCommit>,
    lost_batches: LostBatches,
    fence: Arc<WriteFence>,
}

/// Counts the batches of a database that could not be committed: writes that had succeeded are undone.
#[derive(Clone, Debug, Default)]
pub struct LostBatches(Arc<AtomicU64>);

/// Adds statements to a batch that is about to be committed.
type BeforeCommit = Box<dyn Fn(&Connection) + Send + Sync>;

/// The error of a write.
pub trait FailedWrite: From<DatabaseError> {
    /// Whether the statement is the cause, and not the disk.
    fn is_caused_by_statement(&self) -> bool;
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchEnd {
    Committed,
    /// The disk did not keep it.
    Lost,
    /// One of its statements made SQLite undo all of them, or the file of a component is damaged.
    Undone,
}

/// How far the batches have ended.
#[derive(Clone, Copy)]
struct CommitProgress {
    /// The newest batch that ended, in whichever way; 0 before the first.
    last_ended: u64,
    /// The newest batch that was lost; 0 if none was.
    last_lost: u64,
    /// When the newest batch ended.
    ended_at: Option<Instant>,
    /// The time from then until a caller that waits commits the next batch itself.
    interval: Duration,
}

impl CommitProgress {
    /// Whether a caller that waits commits the batch itself.
    fn is_commit_due(&self) -> bool {
        let is_due = |at: Instant| at.elapsed() >= self.interval;
        self.ended_at.is_none_or(is_due)
    }
}

/// The time until the next commit, after one for which this many callers have waited.
fn commit_interval(callers: u32) -> Duration {
    let interval = INTERVAL_PER_CALLER.saturating_mul(callers.max(1));
    interval.min(MAX_COMMIT_INTERVAL)
}

impl LostBatches {
    /// The number of lost batches since the database was opened.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl GroupCommit {
    pub fn new(
        connection: Connection,
        mode: CommitMode,
        identity: Option<Arc<FileIdentity>>,
        fence: Arc<WriteFence>,
    ) -> Self {
        let progress = CommitProgress {
            last_ended: 0,
            last_lost: 0,
            ended_at: None,
            interval: commit_interval(0),
        };
        Self {
            connection: Mutex::new(connection),
            mode,
            owner: StateOwner::Host,
            is_damaged: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            progress: watch::Sender::new(progress),
            waiting: AtomicU32::new(0),
            signal: CommitSignal::default(),
            identity,
            last_failure: Mutex::default(),
            is_suspect: AtomicBool::new(false),
            has_finished_writes: AtomicBool::new(false),
            before_commit: OnceLock::new(),
            lost_batches: LostBatches::default(),
            fence,
        }
    }

    /// The grouped commits of a file with the state of one component. The fence does not close for damage in it.
    pub fn of_component(
        connection: Connection,
        identity: Arc<FileIdentity>,
        fence: Arc<WriteFence>,
    ) -> Self {
        let mut commits = Self::new(connection, CommitMode::Grouped, Some(identity), fence);
        commits.owner = StateOwner::Component;
        commits
    }

    /// Whether a commit has met damage in the file.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// What closes when a batch is lost.
    pub fn fence(&self) -> &Arc<WriteFence> {
        &self.fence
    }

    /// Calls `add` before each commit of a batch, on the same connection. Only the first call has an effect.
    pub fn before_commit(&self, add: BeforeCommit) {
        let _ = self.before_commit.set(add);
    }

    /// The signal that the commit thread waits for.
    pub fn signal(&self) -> &CommitSignal {
        &self.signal
    }

    /// The connection, for reads.
    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock()
    }

    /// The connection without an open batch.
    pub fn lock_committed(&self) -> MutexGuard<'_, Connection> {
        let connection = self.connection.lock();
        // A failed commit is logged and reported to the callers that wait for it.
        let _ = self.commit_on(&connection);
        connection
    }

    /// Runs one writing statement.
    pub fn write<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.connection.lock();
        match self.mode {
            CommitMode::Grouped => self.join(&connection, work, |_| BatchEnd::Lost),
            CommitMode::Immediate => {
                let result = work(&connection)?;
                self.check_identity()?;
                Ok(result)
            }
        }
    }

    /// Runs one writing statement in the open batch. If none is open and a caller that waits would commit at once, the
    /// statement is a batch of its own: SQLite commits it without further statements. While the fence is closed, a statement
    /// that turns out to change nothing is executed, such as the creation of a table that exists.
    pub fn write_one<T, E: FailedWrite>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.connection.lock();
        if self.fence.is_closed() {
            // The batch that was lost may be that of another database. A failed commit is logged and reported to the callers
            // that wait for it.
            let _ = self.commit_on(&connection);
            return run_without_change(&connection, work);
        }
        if !connection.is_autocommit() || !self.progress.borrow().is_commit_due() {
            let end = |error: Option<&E>| match error {
                Some(error) if error.is_caused_by_statement() => BatchEnd::Undone,
                _ => BatchEnd::Lost,
            };
            return self.join(&connection, work, end);
        }
        self.begun.fetch_add(1, Ordering::AcqRel);
        let result = work(&connection);
        let kept = self.check_identity();
        self.log_change(kept.as_ref().err());
        self.end(match kept {
            Ok(()) => BatchEnd::Committed,
            Err(_) => BatchEnd::Lost,
        });
        let result = result.and_then(|value| kept.map(|()| value).map_err(E::from));
        self.note_write(&result);
        result
    }

    /// Runs several statements that are undone together if `work` fails.
    pub fn transaction<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.read_and_write(|connection| {
            let savepoint = Savepoint::begin(connection)?;
            let result = work(connection)?;
            savepoint.release()?;
            Ok(result)
        })
    }

    /// Runs statements of which at most the last one writes: if `work` fails, there is nothing to undo.
    pub fn read_and_write<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.connection.lock();
        let result = self.join(&connection, work, |_| BatchEnd::Lost);
        match self.mode {
            CommitMode::Grouped => result,
            CommitMode::Immediate => {
                let committed = self.commit_on(&connection);
                result.and_then(|value| committed.map(|()| value).map_err(E::from))
            }
        }
    }

    /// Runs statements in the open batch, which begins here if none is open. `end` is how the batch ends if SQLite undoes it as
    /// a whole.
    fn join<T, E: From<DatabaseError>>(
        &self,
        connection: &Connection,
        work: impl FnOnce(&Connection) -> Result<T, E>,
        end: impl FnOnce(Option<&E>) -> BatchEnd,
    ) -> Result<T, E> {
        if self.mode == CommitMode::Grouped {
            self.check_fence()?;
        }
        if connection.is_autocommit() {
            let begun = self.begin(connection);
            self.note_write(&begun);
            begun?;
        }
        let result = work(connection);
        match connection.is_autocommit() {
            // The disk is full or failed, or the statement was interrupted.
            true => self.end(end(result.as_ref().err())),
            false => self.has_finished_writes.store(true, Ordering::Release),
        }
        self.note_write(&result);
        result
    }

    /// A failed write may be the fault of its caller, or the first sign of a full disk.
    fn note_write<T, E>(&self, result: &Result<T, E>) {
        if result.is_err() {
            self.is_suspect.store(true, Ordering::Relaxed);
        }
    }

    /// Checks that writes are committed. After a failed write or commit, each call tries one more write, until one succeeds.
    pub fn check(&self) -> Result<(), DatabaseError> {
        if self.last_commit_succeeded() && !self.is_suspect.load(Ordering::Relaxed) {
            return Ok(());
        }
        // A write in progress says nothing about the disk.
        if self.connection.try_lock_for(MAX_BLOCKING).is_none() {
            return Ok(());
        }
        let tried =
            self.transaction(|connection| Ok::<_, DatabaseError>(write_nothing(connection)?));
        drop(self.lock_committed());
        match tried {
            Ok(()) if self.last_commit_succeeded() => {
                self.is_suspect.store(false, Ordering::Relaxed);
                Ok(())
            }
            // Another connection writes, which says nothing about the disk.
            Err(DatabaseError::Locked(_)) if self.last_commit_succeeded() => Ok(()),
            Ok(()) => Err(DatabaseError::CommitFailed),
            Err(error) => Err(error),
        }
    }

    /// Commits a write that changes nothing, also while the fence is closed. A failure loses nothing.
    pub fn try_commit(&self) -> Result<(), DatabaseError> {
        let Some(connection) = self.connection.try_lock_for(MAX_BLOCKING) else {
            return Err(DatabaseError::CommitFailed);
        };
        // A failed commit is logged and reported to the callers that wait for it.
        let _ = self.commit_on(&connection);
        let committed = connection
            .execute_batch("BEGIN IMMEDIATE")
            .and_then(|()| write_nothing(&connection))
            .and_then(|()| connection.execute_batch("COMMIT"));
        let committed = committed
            .map_err(DatabaseError::from)
            .and_then(|()| self.check_identity());
        match &committed {
            Ok(()) => {
                self.begun.fetch_add(1, Ordering::AcqRel);
                self.end(BatchEnd::Committed);
            }
            Err(_) => roll_back(&connection),
        }
        self.log_change(committed.as_ref().err());
        committed
    }

    fn check_fence(&self) -> Result<(), DatabaseError> {
        match self.fence.is_closed() {
            true => Err(DatabaseError::CommitFailed),
            false => Ok(()),
        }
    }

    fn begin(&self, connection: &Connection) -> Result<(), DatabaseError> {
        // IMMEDIATE takes the write lock now; a deferred transaction could fail to get it at its first write.
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.signal.batch_begun();
        Ok(())
    }

    /// Commits the open batch, if there is one.
    pub fn commit(&self) {
        // A failed commit is logged and reported to the callers that wait for it.
        let _ = self.commit_on(&self.connection.lock());
    }

    /// Commits the open batch, unless a write takes long.
    fn try_commit_now(&self) {
        if let Some(connection) = self.connection.try_lock_for(MAX_BLOCKING) {
            // A failed commit is logged and reported to the callers that wait for it.
            let _ = self.commit_on(&connection);
        }
    }

    fn commit_on(&self, connection: &Connection) -> Result<(), DatabaseError> {
        if connection.is_autocommit() {
            return Ok(());
        }
        if let Some(add) = self.before_commit.get() {
            add(connection);
            if connection.is_autocommit() {
                // The disk is full or failed, and SQLite has rolled back the whole batch by itself.
                self.end(BatchEnd::Lost);
                return Err(DatabaseError::CommitFailed);
            }
        }
        let committed = connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        let committed = committed
            .map_err(DatabaseError::from)
            .and_then(|_| self.check_identity());
        self.log_change(committed.as_ref().err());
        if let Err(error) = committed {
            roll_back(connection);
            self.end(self.end_of_failed_commit(&error));
            return Err(DatabaseError::CommitFailed);
        }
        self.end(BatchEnd::Committed);
        Ok(())
    }

    /// How a batch ends whose commit has failed. The callers that wait for it fail in any case.
    fn end_of_failed_commit(&self, error: &DatabaseError) -> BatchEnd {
        if error.is_damage() {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        match self.owner {
            StateOwner::Component if error.is_caused_by_statement() => BatchEnd::Undone,
            StateOwner::Host | StateOwner::Component => BatchEnd::Lost,
        }
    }

    /// Commits the open batch, if there is one.
    pub fn commit_now(&self) -> Result<(), DatabaseError> {
        self.commit_on(&self.connection.lock())
    }

    fn check_identity(&self) -> Result<(), DatabaseError> {
        match &self.identity {
            Some(identity) => Ok(identity.check()?),
            None => Ok(()),
        }
    }

    /// Logs the first of several failures, and that commits succeed again. On a full disk, a small commit may still succeed
    /// between others that fail.
    fn log_change(&self, error: Option<&DatabaseError>) {
        let mut last_failure = self.last_failure.lock();
        match (error, *last_failure) {
            (Some(error), earlier) => {
                *last_failure = Some(Instant::now());
                if earlier.is_none() {
                    let cause = std::error::Error::source(error).map(ToString::to_string);
                    let cause = cause.unwrap_or_default();
                    tracing::error!(%error, cause, "the embedded database cannot commit writes");
                }
            }
            (None, Some(at)) if at.elapsed() >= RECOVERY_TIME => {
                *last_failure = None;
                tracing::info!("the embedded database commits writes again");
            }
            (None, _) => {}
        }
    }

    /// Notes the end of the newest batch. Called under the mutex of the connection.
    fn end(&self, end: BatchEnd) {
        let newest = self.begun.load(Ordering::Acquire);
        if end == BatchEnd::Lost {
            self.lost_batches.0.fetch_add(1, Ordering::AcqRel);
            self.fence.close();
        }
        self.has_finished_writes.store(false, Ordering::Release);
        let callers = self.waiting.swap(0, Ordering::AcqRel);
        self.progress.send_modify(|progress| {
            progress.last_ended = newest;
            progress.ended_at = Some(Instant::now());
            progress.interval = commit_interval(callers);
            if end != BatchEnd::Committed {
                progress.last_lost = newest;
            }
        });
    }

    /// The time from the last commit until the next one.
    pub fn interval(&self) -> Duration {
        self.progress.borrow().interval
    }

    /// Whether the newest batch that ended was committed.
    pub fn last_commit_succeeded(&self) -> bool {
        let progress = *self.progress.borrow();
        progress.last_lost == 0 || progress.last_lost < progress.last_ended
    }

    /// The number of lost batches, which changes with each of them.
    pub fn lost_batches(&self) -> LostBatches {
        self.lost_batches.clone()
    }

    /// Whether there are writes that a call may know of, and that are not committed.
    pub fn has_uncommitted_writes(&self) -> bool {
        self.has_finished_writes.load(Ordering::Acquire)
    }

    /// The batch that the next write belongs to.
    pub fn next_batch(&self) -> u64 {
        let begun = self.begun.load(Ordering::Acquire);
        let has_ended = self.progress.borrow().last_ended >= begun;
        begun + u64::from(has_ended)
    }

    /// Waits until the batches from `first_batch` to the newest have ended.
    pub async fn wait_durable(&self, first_batch: u64) -> Result<(), DatabaseError> {
        let newest = self.begun.load(Ordering::Acquire);
        let mut progress = *self.progress.borrow();
        if progress.last_ended < newest {
            self.waiting.fetch_add(1, Ordering::AcqRel);
            if progress.is_commit_due() {
                self.try_commit_now();
                progress = *self.progress.borrow();
            }
            if progress.last_ended < newest {
                progress = self.wait_ended(newest).await?;
            }
        }
        match progress.last_lost >= first_batch {
            true => Err(DatabaseError::CommitFailed),
            false => Ok(()),
        }
    }

    async fn wait_ended(&self, batch: u64) -> Result<CommitProgress, DatabaseError> {
        let mut progress = self.progress.subscribe();
        self.signal.request_commit();
        let ended = progress.wait_for(|progress| progress.last_ended >= batch);
        let ended = ended.await.map(|progress| *progress);
        ended.map_err(|_| DatabaseError::CommitFailed)
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        if let Some(identity) = &self.identity {
            identity.protect_at_close(self.connection.get_mut());
        }
    }
}

/// Undoes a batch whose commit failed.
fn roll_back(connection: &Connection) {
    // SQLite rolls back by itself after some errors; a second ROLLBACK would be an error.
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a batch of writes could not be rolled back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_for_many_callers_is_followed_by_a_longer_batch() {
        let milliseconds = [0, 1, 2, 50].map(|callers| commit_interval(callers).as_millis());
        assert_eq!(milliseconds, [1, 1, 2, 3]);
    }
}

//! When the positions of the groups are written: in a commit that other writes need anyway, and shortly after the last
//! acknowledgement if there is none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;

use super::group_rows::write_positions;
use super::groups::LogMemory;
use storage::database::{Database, LostBatches};

/// The shortest time between two writes in the commits of others. Under load, one write holds many acknowledgements.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

/// The longest time that an acknowledgement stays in memory only.
const MAX_DELAY: Duration = Duration::from_millis(100);

/// The memory of the log, and whether its positions are to be written.
pub(super) struct Positions {
    database: Weak<Database>,
    lost_batches: LostBatches,
    memory: Mutex<LogMemory>,
    /// Whether a position may have changed since the last write.
    changed: AtomicBool,
    /// Whether a task waits to write the positions.
    scheduled: AtomicBool,
    last_write: Mutex<Option<Instant>>,
}

impl Positions {
    /// The positions in this database. They are written with each of its commits, or at most [`MAX_DELAY`] later.
    pub fn of(database: &Arc<Database>) -> Arc<Self> {
        let positions = Arc::new(Self {
            database: Arc::downgrade(database),
            lost_batches: database.lost_batches(),
            memory: Mutex::default(),
            changed: AtomicBool::new(false),
            scheduled: AtomicBool::new(false),
            last_write: Mutex::default(),
        });
        let weak = Arc::downgrade(&positions);
        database.before_commit(move |connection| {
            if let Some(positions) = weak.upgrade() {
                positions.join_commit(connection);
            }
        });
        positions
    }

    /// The memory of the log. A caller that also needs the database locks the database first.
    pub fn lock(&self) -> MutexGuard<'_, LogMemory> {
        let mut memory = self.memory.lock();
        if memory.compare(self.lost_batches.count()) {
            self.changed.store(true, Ordering::Release);
        }
        memory
    }

    /// Reports a changed position, and sees to it that it is written.
    pub fn note_change(self: &Arc<Self>) {
        self.changed.store(true, Ordering::Release);
        if self.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let positions = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(MAX_DELAY).await;
            positions.scheduled.store(false, Ordering::Release);
            positions.write();
        });
    }

    /// Writes the changed positions now. After a failure, the next write includes them.
    pub fn write(&self) {
        if self.changed.load(Ordering::Acquire)
            && self.lock().has_unwritten()
            && let Some(database) = self.database.upgrade()
            && let Err(error) = database.write(|connection| self.write_on(connection))
        {
            tracing::debug!(%error, "the positions of the event log could not be written");
        }
    }

    /// As [`Positions::write`], inside of a call of the database.
    pub fn write_on(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.changed.store(false, Ordering::Release);
        let written = write_positions(connection, &mut self.lock());
        if written.is_err() {
            self.changed.store(true, Ordering::Release);
        }
        *self.last_write.lock() = Some(Instant::now());
        written
    }

    fn join_commit(&self, connection: &Connection) {
        let is_due = |at: Instant| at.elapsed() >= MIN_INTERVAL;
        if self.changed.load(Ordering::Acquire)
            && self.last_write.lock().is_none_or(is_due)
            && let Err(error) = self.write_on(connection)
        {
            tracing::debug!(%error, "the positions of the event log could not be written");
        }
    }
}

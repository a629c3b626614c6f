//! What SQL reports of the latest write of a session: `changes()`, `total_changes()` and `last_insert_rowid()`.
//!
//! SQLite keeps these in a connection. The writes of a session that has no connection of its own are mixed with those of
//! others there, so the session notes them itself, and restores them in the connection that it gets later.
#![expect(
    unsafe_code,
    reason = "rusqlite has no function that sets the last row id"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, ffi};

/// The latest write of a session, and the number of rows that all of them changed.
#[derive(Default)]
pub(super) struct LatestWrite {
    changes: AtomicU64,
    total_changes: AtomicU64,
    rowid: AtomicI64,
    /// Whether the connection with these functions has written since.
    has_written: AtomicBool,
}

// === impl LatestWrite ===

impl LatestWrite {
    /// The rowid of the latest insert.
    pub fn rowid(&self) -> i64 {
        self.rowid.load(Ordering::Relaxed)
    }

    /// The number of rows that the latest write changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Notes a write that has succeeded on this connection, which had changed `before` rows until then.
    pub fn note(&self, connection: &Connection, before: u64) {
        let total = connection.total_changes() - before;
        self.total_changes.fetch_add(total, Ordering::Relaxed);
        self.changes.store(connection.changes(), Ordering::Relaxed);
        if total > 0 {
            let rowid = connection.last_insert_rowid();
            self.rowid.store(rowid, Ordering::Relaxed);
        }
    }

    /// Brings a connection into the state that the writes of the session would have left in it.
    pub fn restore(this: &Arc<Self>, connection: &Connection) -> rusqlite::Result<()> {
        // SAFETY: the handle belongs to an open connection, and the call sets a number in it.
        unsafe {
            ffi::sqlite3_set_last_insert_rowid(connection.handle(), this.rowid());
        }
        let flags = FunctionFlags::SQLITE_UTF8;
        let latest = this.clone();
        let changes = move |context: &Context<'_>| latest.changes_in(context);
        connection.create_scalar_function("changes", 0, flags, changes)?;
        let latest = this.clone();
        let total = move |_: &Context<'_>| Ok(as_integer(&latest.total_changes));
        connection.create_scalar_function("total_changes", 0, flags, total)?;
        Ok(())
    }

    /// The connection of the session writes itself from now on.
    pub fn note_own_write(&self) {
        self.has_written.store(true, Ordering::Relaxed);
    }

    /// What `changes()` returns: in a trigger of the present statement, that is not the latest write of the session.
    fn changes_in(&self, context: &Context<'_>) -> rusqlite::Result<i64> {
        if !self.has_written.load(Ordering::Relaxed) {
            return Ok(as_integer(&self.changes));
        }
        // SAFETY: the connection is used only to read a number.
        let connection = unsafe { context.get_connection()? };
        Ok(i64::try_from(connection.changes()).unwrap_or(i64::MAX))
    }
}

fn as_integer(value: &AtomicU64) -> i64 {
    i64::try_from(value.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
}

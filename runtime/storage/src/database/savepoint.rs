//! A savepoint: several statements inside the open batch that are undone together.

use rusqlite::Connection;

use super::DatabaseError;

/// Statements that are undone when the value is dropped before its release, also by a panic.
pub(super) struct Savepoint<'c> {
    connection: &'c Connection,
    open: bool,
}

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
        // SQLite rolls back the whole batch by itself after some errors; the savepoint is gone then.
        if self.open
            && !self.connection.is_autocommit()
            && let Err(error) = self
                .connection
                .execute_batch("ROLLBACK TO one; RELEASE one")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }
}

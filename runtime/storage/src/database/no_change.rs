//! Writes that change nothing: what is executed while nothing may be written.

use rusqlite::Connection;

use super::DatabaseError;

/// Runs a statement on a connection without a transaction, and undoes and refuses it if it has changed something.
///
/// # Errors
/// [`DatabaseError::CommitFailed`] if it has; otherwise the error of the statement.
pub(super) fn run_without_change<T, E: From<DatabaseError>>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let run = |statement: &str| {
        connection
            .execute_batch(statement)
            .map_err(DatabaseError::from)
    };
    let state = || {
        let schema = connection.pragma_query_value(None, "schema_version", |row| row.get(0));
        let schema: i64 = schema.map_err(DatabaseError::from)?;
        Ok::<_, DatabaseError>((schema, connection.total_changes()))
    };
    run("BEGIN")?;
    let before = state()?;
    let result = work(connection);
    let after = state();
    if !connection.is_autocommit() {
        run("ROLLBACK")?;
    }
    match after? == before {
        true => result,
        false => Err(DatabaseError::CommitFailed.into()),
    }
}

/// A write that changes nothing.
pub(super) fn write_nothing(connection: &Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}

//! A database of `sqlite_databases`, over `spin:sqlite`.
//!
//! The statements are synchronous: the file is local, and all rows come in one call of the host instead of a stream.
//!
//! Stock Spin runs one process per kind of trigger on one file, so a statement can find the database locked; it is then
//! retried.

use super::bindings::spin::sqlite::sqlite::{self, Connection};
use crate::{
    ports::{Database, DatabaseError},
    sql_value::SqlValue,
};
use kit::spin::with_timeout;
use spin_sdk::time::sleep;
use std::{cell::Cell, time::Duration};

/// The timeout of one statement, retries included.
const TIMEOUT: Duration = Duration::from_secs(4);
/// The wait before the first retry on a locked database. Each further wait is twice as long.
const MIN_BACKOFF: Duration = Duration::from_millis(5);
/// The longest wait before a retry.
const MAX_BACKOFF: Duration = Duration::from_millis(80);

/// One connection.
pub struct SpinDatabase {
    connection: Connection,
    healthy: Cell<bool>,
}

impl SpinDatabase {
    /// Opens the database that the manifest grants under `label`.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when it does not open.
    pub fn open(label: &str) -> Result<Self, DatabaseError> {
        Ok(Self {
            connection: Connection::open(label).map_err(failed)?,
            healthy: Cell::new(true),
        })
    }

    /// Whether no statement has failed yet.
    pub fn is_healthy(&self) -> bool {
        self.healthy.get()
    }

    async fn run_with_retries(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let parameters: Vec<_> = parameters.iter().map(parameter).collect();
        let mut backoff = MIN_BACKOFF;
        loop {
            match self.connection.execute(statement, &parameters) {
                Err(error) if is_locked(&error) => sleep(backoff).await,
                Err(error) => return Err(failed(error)),
                Ok(result) => return result.rows.into_iter().map(read).collect(),
            }
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }
}

impl Database for SpinDatabase {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let rows = with_timeout(TIMEOUT, self.run_with_retries(statement, parameters)).await;
        let rows = rows.unwrap_or_else(|| Err(timed_out()));
        if rows.is_err() {
            self.healthy.set(false);
        }
        rows
    }
}

fn parameter(value: &SqlValue) -> sqlite::Value {
    match value {
        SqlValue::Number(number) => sqlite::Value::Integer(*number),
        SqlValue::Text(text) => sqlite::Value::Text(text.clone()),
        SqlValue::Null => sqlite::Value::Null,
    }
}

fn read(row: sqlite::RowResult) -> Result<Vec<SqlValue>, DatabaseError> {
    let value = |value| match value {
        sqlite::Value::Integer(number) => Ok(SqlValue::Number(number)),
        sqlite::Value::Text(text) => Ok(SqlValue::Text(text)),
        sqlite::Value::Null => Ok(SqlValue::Null),
        sqlite::Value::Real(_) | sqlite::Value::Blob(_) => Err(DatabaseError(
            "a value is neither a whole number nor a text".into(),
        )),
    };
    row.values.into_iter().map(value).collect()
}

/// Whether another connection holds a lock. Only the text of the error tells, in the words of SQLite and of the hosts.
fn is_locked(error: &sqlite::Error) -> bool {
    let sqlite::Error::Io(text) = error else {
        return false;
    };
    ["is locked", "is busy", "stayed busy"]
        .iter()
        .any(|words| text.contains(words))
}

fn failed(error: sqlite::Error) -> DatabaseError {
    DatabaseError(match error {
        sqlite::Error::Io(text) => text,
        other => other.to_string(),
    })
}

fn timed_out() -> DatabaseError {
    DatabaseError(format!("no answer within {} s", TIMEOUT.as_secs()))
}

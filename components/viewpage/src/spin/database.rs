//! A database of `sqlite_databases`, over `spin:sqlite`.
//!
//! Stock Spin runs one process per kind of trigger on one file, so a statement can find the database locked; it is then
//! retried. Rows are always read to their end: the connection is locked while they stream.

use crate::{
    ports::{Database, DatabaseError},
    sql_value::SqlValue,
};
use kit::spin::with_timeout;
use spin_sdk::{
    sqlite::{self, Connection},
    time::sleep,
};
use std::{cell::Cell, fmt::Display, time::Duration};

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
    /// [`DatabaseError`] when it does not open within the timeout.
    pub async fn open(label: &str) -> Result<Self, DatabaseError> {
        let connection = with_timeout(TIMEOUT, Connection::open(label)).await;
        Ok(Self {
            connection: connection.ok_or_else(timed_out)?.map_err(failed)?,
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
        let mut backoff = MIN_BACKOFF;
        loop {
            match self.run_once(statement, parameters).await {
                Err(error) if is_locked(&error) => sleep(backoff).await,
                Err(error) => return Err(failed(error)),
                Ok(rows) => return rows.into_iter().map(read).collect(),
            }
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    async fn run_once(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<sqlite::RowResult>, sqlite::Error> {
        let parameters = parameters.iter().map(parameter);
        self.connection
            .execute(statement, parameters)
            .await?
            .collect()
            .await
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

fn failed(error: impl Display) -> DatabaseError {
    DatabaseError(error.to_string())
}

fn timed_out() -> DatabaseError {
    DatabaseError(format!("no answer within {} s", TIMEOUT.as_secs()))
}

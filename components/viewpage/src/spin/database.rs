//! A database of `sqlite_databases`, over `spin:sqlite`.
//!
//! Stock Spin runs a process per kind of trigger on one file, so a statement can find the database
//! locked; it is then tried again. Rows are always read to their end: the connection is locked while
//! they stream.

use crate::{Database, DatabaseError, SqlValue};
use kit::spin::with_timeout;
use spin_sdk::{
    sqlite::{self, Connection},
    time::sleep,
};
use std::{cell::Cell, fmt::Display, time::Duration};

/// How long a statement may take, retries included, before the database counts as silent.
const LIMIT: Duration = Duration::from_secs(4);
/// The first pause before a locked database is tried again; later ones are longer.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(80);

/// One connection.
pub struct SpinDatabase {
    connection: Connection,
    sound: Cell<bool>,
}

impl SpinDatabase {
    /// Opens the database that the manifest grants under `label`.
    pub async fn open(label: &str) -> Result<Self, DatabaseError> {
        let connection = with_timeout(LIMIT, Connection::open(label)).await;
        Ok(Self {
            connection: connection.ok_or_else(silent)?.map_err(failed)?,
            sound: Cell::new(true),
        })
    }

    /// Whether every statement so far was answered.
    pub fn is_sound(&self) -> bool {
        self.sound.get()
    }

    async fn persist(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.attempt(statement, parameters).await {
                Err(error) if is_locked(&error) => sleep(pause).await,
                Err(error) => return Err(failed(error)),
                Ok(rows) => return rows.into_iter().map(read).collect(),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<sqlite::RowResult>, sqlite::Error> {
        let parameters = parameters.iter().map(bound);
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
        let answer = with_timeout(LIMIT, self.persist(statement, parameters)).await;
        let answer = answer.unwrap_or_else(|| Err(silent()));
        if answer.is_err() {
            self.sound.set(false);
        }
        answer
    }
}

fn bound(value: &SqlValue) -> sqlite::Value {
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
        sqlite::Value::Real(_) | sqlite::Value::Blob(_) => {
            Err(DatabaseError("a value is neither number nor text".into()))
        }
    };
    row.values.into_iter().map(value).collect()
}

/// SQLite's words for what passes by itself. Nothing else tells it apart.
fn is_locked(error: &sqlite::Error) -> bool {
    matches!(error, sqlite::Error::Io(words) if words.contains("is locked") || words.contains("is busy") || words.contains("stayed busy"))
}

fn failed(error: impl Display) -> DatabaseError {
    DatabaseError(error.to_string())
}

fn silent() -> DatabaseError {
    DatabaseError(format!("no answer within {} s", LIMIT.as_secs()))
}

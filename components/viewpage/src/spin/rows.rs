//! A database of `sqlite_databases`, over `spin:sqlite`.
//!
//! Stock Spin runs a process per kind of trigger on one file, so a statement can find the database
//! locked; it is then tried again. Rows are always read to their end: the connection is locked while
//! they stream.

use crate::{Rows, RowsError, Value};
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
pub struct SpinRows {
    connection: Connection,
    sound: Cell<bool>,
}

impl SpinRows {
    /// Opens the database that the manifest grants under `label`.
    pub async fn open(label: &str) -> Result<Self, RowsError> {
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
        parameters: &[Value],
    ) -> Result<Vec<Vec<Value>>, RowsError> {
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
        parameters: &[Value],
    ) -> Result<Vec<sqlite::RowResult>, sqlite::Error> {
        let parameters = parameters.iter().map(bound);
        self.connection
            .execute(statement, parameters)
            .await?
            .collect()
            .await
    }
}

impl Rows for SpinRows {
    async fn run(
        &self,
        statement: &str,
        parameters: &[Value],
    ) -> Result<Vec<Vec<Value>>, RowsError> {
        let answer = with_timeout(LIMIT, self.persist(statement, parameters)).await;
        let answer = answer.unwrap_or_else(|| Err(silent()));
        if answer.is_err() {
            self.sound.set(false);
        }
        answer
    }
}

fn bound(value: &Value) -> sqlite::Value {
    match value {
        Value::Number(number) => sqlite::Value::Integer(*number),
        Value::Text(text) => sqlite::Value::Text(text.clone()),
        Value::Null => sqlite::Value::Null,
    }
}

fn read(row: sqlite::RowResult) -> Result<Vec<Value>, RowsError> {
    let value = |value| match value {
        sqlite::Value::Integer(number) => Ok(Value::Number(number)),
        sqlite::Value::Text(text) => Ok(Value::Text(text)),
        sqlite::Value::Null => Ok(Value::Null),
        sqlite::Value::Real(_) | sqlite::Value::Blob(_) => {
            Err(RowsError("a value is neither number nor text".into()))
        }
    };
    row.values.into_iter().map(value).collect()
}

/// SQLite's words for what passes by itself. Nothing else tells it apart.
fn is_locked(error: &sqlite::Error) -> bool {
    matches!(error, sqlite::Error::Io(words) if words.contains("is locked") || words.contains("is busy") || words.contains("stayed busy"))
}

fn failed(error: impl Display) -> RowsError {
    RowsError(error.to_string())
}

fn silent() -> RowsError {
    RowsError(format!("no answer within {} s", LIMIT.as_secs()))
}

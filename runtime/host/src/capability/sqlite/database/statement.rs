//! One statement on a connection: its parameters, its rows and its errors as the guest sees them.

use std::time::Instant;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, ToSql};
use storage::database::{DatabaseError, FailedWrite, is_caused_by_statement};

use super::MAX_MEMORY_BYTES;
use crate::capability::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};
use crate::capability::sqlite::statement_watchdog::{STEPS_PER_CHECK, StatementWatchdog};

/// The largest result of one statement, in bytes.
const MAX_RESULT_BYTES: usize = 64 << 20;

/// The longest statement whose prepared form a connection keeps, in bytes: that form is some ten times larger.
const MAX_CACHED_LENGTH: usize = 16 << 10;

/// The error of a statement for which the database was busy until the deadline.
pub(super) const STAYED_BUSY: &str = "the database stayed busy";

/// The result of a statement.
pub struct StatementResult {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<RowResult>,
    /// The size of the rows, in bytes.
    pub bytes: usize,
}

/// Why one attempt at a statement has no result.
pub(super) enum StatementError {
    Busy,
    /// The statement cannot be executed as it is, or in the time and memory that it has.
    Refused(Error),
    /// The file is damaged.
    Damaged(Error),
    Failed(Error),
}

// === impl StatementResult ===

impl StatementResult {
    /// The texts in the first column.
    pub fn first_column(self) -> Vec<String> {
        let rows = self.rows.into_iter();
        let texts = rows.filter_map(|row| match row.values.into_iter().next() {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        });
        texts.collect()
    }
}

/// Runs a statement; the watchdog interrupts it at the deadline.
///
/// # Errors
/// The error of SQLite, or that of the deadline.
pub(super) fn run(
    connection: &Connection,
    statement: &str,
    parameters: &[Value],
    deadline: Instant,
) -> Result<StatementResult, StatementError> {
    let mut watchdog = StatementWatchdog::begin(deadline);
    connection.progress_handler(STEPS_PER_CHECK, Some(move || watchdog.must_interrupt()))?;
    let done = execute(connection, statement, parameters);
    // Dropping the watchdog ends the share of CPU time that it holds.
    connection.progress_handler(0, None::<fn() -> bool>)?;
    done
}

/// Whether a statement reads only.
///
/// # Errors
/// The error of SQLite, if it is no statement.
pub(super) fn is_reading(connection: &Connection, statement: &str) -> Result<bool, StatementError> {
    with_prepared(connection, statement, |statement| Ok(statement.readonly()))
}

fn execute(
    connection: &Connection,
    statement: &str,
    parameters: &[Value],
) -> Result<StatementResult, StatementError> {
    with_prepared(connection, statement, |statement| {
        query(statement, parameters)
    })
}

fn with_prepared<T>(
    connection: &Connection,
    statement: &str,
    run: impl FnOnce(&mut Statement<'_>) -> Result<T, StatementError>,
) -> Result<T, StatementError> {
    match statement.len() > MAX_CACHED_LENGTH {
        true => run(&mut connection.prepare(statement)?),
        false => run(&mut *connection.prepare_cached(statement)?),
    }
}

fn query(
    statement: &mut Statement<'_>,
    parameters: &[Value],
) -> Result<StatementResult, StatementError> {
    let columns: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut found = statement.query(rusqlite::params_from_iter(
        parameters.iter().map(BoundValue),
    ))?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            let value = row.get_ref(index)?;
            bytes += size_of::<Value>() + length(value);
            values.push(owned_value(value));
        }
        if bytes > MAX_RESULT_BYTES {
            let reason = format!("the answer is longer than {MAX_RESULT_BYTES} bytes");
            return Err(StatementError::Failed(Error::Io(reason)));
        }
        rows.push(RowResult { values });
    }
    Ok(StatementResult {
        columns,
        rows,
        bytes,
    })
}

fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

fn owned_value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Whether the same statement may succeed later.
pub fn is_unavailable(error: &Error) -> bool {
    match error {
        Error::DatabaseFull => true,
        Error::Io(reason) => reason == STAYED_BUSY,
        _ => false,
    }
}

pub(super) fn sqlite_error(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DatabaseFull,
        Some(ErrorCode::OutOfMemory) => Error::Io(format!(
            "the statements on this database need more than {MAX_MEMORY_BYTES} bytes of memory"
        )),
        Some(ErrorCode::OperationInterrupted) => Error::Io("the deadline came first".to_owned()),
        _ => Error::Io(error.to_string()),
    }
}

impl From<rusqlite::Error> for StatementError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(sqlite_error(&error))
            }
            _ if is_caused_by_statement(&error) => Self::Refused(sqlite_error(&error)),
            _ => Self::Failed(sqlite_error(&error)),
        }
    }
}

impl From<DatabaseError> for StatementError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Locked(_) => Self::Busy,
            error => Self::Failed(Error::Io(error.to_string())),
        }
    }
}

impl FailedWrite for StatementError {
    fn is_caused_by_statement(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Damaged(_))
    }
}

/// A guest's value as a parameter of a statement.
struct BoundValue<'a>(&'a Value);

impl ToSql for BoundValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

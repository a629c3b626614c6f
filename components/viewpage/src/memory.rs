//! An in-memory [`Database`] for native tests and the simulation: the same SQLite, without a host around it.

use crate::{
    ports::{Database, DatabaseError},
    read_model::ReadModel,
    sql_value::SqlValue,
};
use rusqlite::{
    Connection, ToSql,
    types::{ToSqlOutput, ValueRef},
};

/// A database in memory, deleted when it is dropped.
pub struct MemoryDatabase {
    /// The connection, for tests that bypass the port.
    pub connection: Connection,
}

impl MemoryDatabase {
    /// An empty database.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when SQLite cannot open it.
    pub fn new() -> Result<Self, DatabaseError> {
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { connection })
    }
}

impl<D: Database> ReadModel<D> {
    /// The database, for tests that bypass the port.
    pub fn database(&self) -> &D {
        &self.database
    }
}

impl Database for MemoryDatabase {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let mut statement = self.connection.prepare_cached(statement).map_err(failed)?;
        let width = statement.column_count();
        let mut found = statement
            .query(rusqlite::params_from_iter(parameters))
            .map_err(failed)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let value = |index| row.get_ref(index).map_err(failed).and_then(read);
            rows.push((0..width).map(value).collect::<Result<_, _>>()?);
        }
        Ok(rows)
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Null => ValueRef::Null,
        }))
    }
}

fn read(value: ValueRef<'_>) -> Result<SqlValue, DatabaseError> {
    match value {
        ValueRef::Integer(number) => Ok(SqlValue::Number(number)),
        ValueRef::Text(text) => Ok(SqlValue::Text(String::from_utf8_lossy(text).into_owned())),
        ValueRef::Null => Ok(SqlValue::Null),
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(DatabaseError(
            "a value is neither a whole number nor a text".into(),
        )),
    }
}

fn failed(error: rusqlite::Error) -> DatabaseError {
    DatabaseError(error.to_string())
}

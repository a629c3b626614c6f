//! `spin:sqlite`: databases in files of the state directory, one per label.
//!
//! Each connection of a guest is a separate SQLite connection, so its transactions are separate too; see [`database`].

mod checkpoint;
pub mod database;
mod statement_watchdog;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::bindings::spin::sqlite::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use super::buffered_items::BufferedItems;
use super::{Capabilities, View};
use crate::call::Call;
use crate::host_call_timeout::HostCallTimeout;
use crate::store::StoreError;
use database::{DatabaseSession, StatementResult};

pub use super::bindings::spin::sqlite::sqlite::Error as SqliteError;

/// The longest time that a statement may run outside of a call.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest number of open connections of one instance: each one uses file descriptors and cached pages.
const MAX_CONNECTIONS: usize = 16;

/// A guest's handle to a connection.
pub struct GuestSqliteConnection(Arc<DatabaseSession>);

type Opened = wasmtime::Result<Result<Resource<GuestSqliteConnection>, Error>>;
type Rows = (
    Vec<String>,
    StreamReader<RowResult>,
    FutureReader<Result<(), Error>>,
);

impl View<'_> {
    fn open_database(&mut self, label: &str) -> Opened {
        let Some(database) = self.grants.databases.get(label) else {
            self.grants.missing.note("sqlite_databases", label);
            return Ok(Err(Error::AccessDenied));
        };
        if *self.databases >= MAX_CONNECTIONS {
            return Ok(Err(Error::Io("too many connections are open".to_owned())));
        }
        let session = match database.session() {
            Ok(session) => session,
            Err(error) => return Ok(Err(error)),
        };
        *self.databases += 1;
        Ok(Ok(self.table.push(GuestSqliteConnection(session))?))
    }

    fn session(
        &self,
        connection: &Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<(Arc<DatabaseSession>, Option<Call>)> {
        Ok((self.table.get(connection)?.0.clone(), self.call.cloned()))
    }
}

/// Runs a statement after the earlier writes of the call are durable: the databases of guests are separate files.
async fn execute(
    session: &DatabaseSession,
    statement: &str,
    parameters: &[Value],
    call: Option<Call>,
) -> Result<StatementResult, Error> {
    let timeout = HostCallTimeout::of(call.as_ref());
    if let Some(call) = &call {
        let settled = async { Ok::<_, StoreError>(call.wait_durable().await?) };
        let settled = timeout.wait(settled).await;
        settled.map_err(|error| Error::Io(error.to_string()))?;
    }
    let end = timeout.end().unwrap_or(Instant::now() + DEFAULT_TIMEOUT);
    let executed = session.execute(statement, parameters, end).await;
    if let Err(error) = &executed
        && database::is_unavailable(error)
        && let Some(call) = &call
    {
        call.availability.note_unavailable(None);
    }
    executed
}

impl Host for View<'_> {}

impl HostConnection for View<'_> {
    async fn open(&mut self, label: String) -> Opened {
        self.open_database(&label)
    }

    async fn execute(
        &mut self,
        connection: Resource<GuestSqliteConnection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let (session, call) = self.session(&connection)?;
        let answer = execute(&session, &statement, &parameters, call).await;
        Ok(answer.map(|StatementResult { columns, rows, .. }| QueryResult { columns, rows }))
    }

    async fn last_insert_rowid(
        &mut self,
        connection: Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<i64> {
        Ok(self.session(&connection)?.0.last_insert_rowid())
    }

    async fn changes(
        &mut self,
        connection: Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<u64> {
        Ok(self.session(&connection)?.0.changes())
    }

    async fn drop(&mut self, connection: Resource<GuestSqliteConnection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        *self.databases -= 1;
        Ok(())
    }
}

impl<T: Send + 'static> HostConnectionWithStore<T> for Capabilities {
    async fn open_async(accessor: &Accessor<T, Self>, label: String) -> Opened {
        accessor.with(|mut access| access.get().open_database(&label))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<GuestSqliteConnection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Rows, Error>> {
        let (session, call, byte_budget) = accessor.with(|mut access| {
            let view = access.get();
            let (session, call) = view.session(&connection)?;
            wasmtime::error::Ok((session, call, view.byte_budget.clone()))
        })?;
        let answer = execute(&session, &statement, &parameters, call).await;
        let StatementResult {
            columns,
            rows,
            bytes,
        } = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            let reserved = match byte_budget.reserve(bytes) {
                Ok(reserved) => reserved,
                Err(error) => return Ok(Err(Error::Io(error.to_string()))),
            };
            let rows = StreamReader::new(&mut access, BufferedItems::new(rows, reserved))?;
            let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(Ok(())) })?;
            Ok(Ok((columns, rows, end)))
        })
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<i64> {
        accessor.with(|mut access| Ok(access.get().session(&connection)?.0.last_insert_rowid()))
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<u64> {
        accessor.with(|mut access| Ok(access.get().session(&connection)?.0.changes()))
    }
}

//! `spin:sqlite`: databases in files of the state directory, one per label.
//!
//! Each connection of a guest behaves as a separate SQLite connection, so its transactions are separate too; see
//! [`database`].

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
use super::store_operation::{self, StoreLabel};
use super::{Capabilities, View};
use crate::call::Call;
use crate::host_call_timeout::HostCallTimeout;
use crate::span::{self, Span};
use crate::store::StoreError;
use database::{DatabaseSession, StatementResult};

pub use super::bindings::spin::sqlite::sqlite::Error as SqliteError;

/// The longest time that a statement may run outside of a call.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest number of open connections of one instance: each one uses file descriptors and cached pages.
const MAX_CONNECTIONS: usize = 16;

/// A guest's handle to a connection.
pub struct GuestSqliteConnection {
    session: Arc<DatabaseSession>,
    label: StoreLabel,
}

/// The name of the database system in spans.
const SYSTEM: &str = "sqlite";

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
        Ok(Ok(self.table.push(GuestSqliteConnection {
            session,
            label: store_operation::label(label),
        })?))
    }

    fn session(
        &self,
        connection: &Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<Arc<DatabaseSession>> {
        Ok(self.table.get(connection)?.session.clone())
    }

    fn statement(
        &self,
        connection: &Resource<GuestSqliteConnection>,
        text: &str,
    ) -> wasmtime::Result<Statement> {
        let GuestSqliteConnection { session, label } = self.table.get(connection)?;
        let span = self
            .call
            .map(|call| span::store::operation(&call.trace, SYSTEM, text, label.as_deref()));
        Ok(Statement {
            session: session.clone(),
            call: self.call.cloned(),
            span: span.unwrap_or_default(),
        })
    }
}

/// A statement on its way to the database.
struct Statement {
    session: Arc<DatabaseSession>,
    call: Option<Call>,
    span: Span,
}

// === impl Statement ===

impl Statement {
    /// Runs the statement after the earlier writes of the call are durable: the databases of guests are separate files.
    async fn execute(mut self, text: &str, parameters: &[Value]) -> Result<StatementResult, Error> {
        let timeout = HostCallTimeout::of(self.call.as_ref());
        if let Some(call) = &self.call {
            let settled =
                async { Ok::<_, StoreError>(call.wait_durable_except(self.session.path()).await?) };
            let settled = timeout.wait(settled).await;
            settled.map_err(|error| Error::Io(error.to_string()))?;
        }
        let end = timeout.end().unwrap_or(Instant::now() + DEFAULT_TIMEOUT);
        let executed = self
            .session
            .execute(text, parameters, end, self.call.as_ref())
            .await;
        if let Err(error) = &executed {
            // The text of an error may hold values.
            self.span.fail("statement-failed", "");
            if database::is_unavailable(error)
                && let Some(call) = &self.call
            {
                call.availability.note_unavailable(None);
            }
        }
        executed
    }
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
        let begun = self.statement(&connection, &statement)?;
        let answer = begun.execute(&statement, &parameters).await;
        Ok(answer.map(|StatementResult { columns, rows, .. }| QueryResult { columns, rows }))
    }

    async fn last_insert_rowid(
        &mut self,
        connection: Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<i64> {
        Ok(self.session(&connection)?.last_insert_rowid())
    }

    async fn changes(
        &mut self,
        connection: Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<u64> {
        Ok(self.session(&connection)?.changes())
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
        let (begun, byte_budget) = accessor.with(|mut access| {
            let view = access.get();
            let begun = view.statement(&connection, &statement)?;
            wasmtime::error::Ok((begun, view.byte_budget.clone()))
        })?;
        let answer = begun.execute(&statement, &parameters).await;
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
        accessor.with(|mut access| Ok(access.get().session(&connection)?.last_insert_rowid()))
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<GuestSqliteConnection>,
    ) -> wasmtime::Result<u64> {
        accessor.with(|mut access| Ok(access.get().session(&connection)?.changes()))
    }
}

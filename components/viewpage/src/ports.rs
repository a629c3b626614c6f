//! What the viewpage context needs from outside: a SQL database and, for a rebuild, the current state of other contexts.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use crate::{source_context::SourceContext, sql_value::SqlValue};
use kit::{EventFailure, http::Problem};
use serde_json::Value as Json;

/// A SQLite database.
pub trait Database {
    /// Runs one statement and returns all its rows.
    ///
    /// The statement is a transaction of its own, triggers included: after an error it took effect wholly or not at
    /// all. `parameters` are bound to `?1`, `?2` and so on. An implementation returns within a bounded time, and retries
    /// a locked database within that time.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails or does not respond in time. Whether the statement took effect is then
    /// unknown, so callers only repeat idempotent statements.
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError>;
}

/// Why the database gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database of the view does not answer: {0}")]
pub struct DatabaseError(pub String);

/// Read access to the other contexts, for a rebuild.
pub trait ContextClient {
    /// Reads the resource at `path` (with its query) of a context; `None` when the context has no such resource.
    ///
    /// Reading changes nothing. An implementation returns within a bounded time.
    ///
    /// # Errors
    ///
    /// [`ContextError`] when the response is missing, late, an error, or not JSON.
    async fn read(
        &self,
        context: SourceContext,
        path: &str,
    ) -> Result<Option<ResourceSnapshot>, ContextError>;
}

/// A resource of another context at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSnapshot {
    /// The resource as JSON.
    pub body: Json,
    /// The version of its aggregate, from the `ETag`; `None` for a list.
    pub version: Option<u64>,
}

/// Why a context returned no resource; the text says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContextError(pub String);

/// A reference to a database is a database.
impl<D: Database> Database for &D {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        (**self).run(statement, parameters).await
    }
}

/// A failed database is reported as 503: a retry can succeed. The cause is for the operator alone.
impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        kit::report(&error.to_string());
        Self::unavailable("the view cannot be read at the moment; try again", 1)
    }
}

impl From<DatabaseError> for EventFailure {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A failed context is reported as 503: a retry can succeed.
impl From<ContextError> for Problem {
    fn from(error: ContextError) -> Self {
        Self::unavailable(error.to_string(), 1)
    }
}

//! What the viewpage context needs from outside: a SQL database and, for a rebuild, the aggregates of other contexts.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use crate::{source_context::SourceContext, sql_value::SqlValue};
use events::{CarState, PaymentState, ReservationState};
use kit::{EventFailure, Unavailable, http::Problem};

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

/// Read access to the aggregates of the other contexts, for a rebuild.
///
/// Reading changes nothing. An implementation returns within a bounded time.
pub trait Records {
    /// The greatest number in use in a context; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the answer is missing or late.
    async fn newest(&self, context: SourceContext) -> Result<Option<u64>, Unavailable>;

    /// The aggregates of a context with these numbers, at most 100. A number without an aggregate is left out.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the answer is missing or late.
    async fn read(
        &self,
        context: SourceContext,
        numbers: &[u64],
    ) -> Result<Vec<Record>, Unavailable>;
}

/// An aggregate of another context at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its state.
    pub state: RecordState,
    /// Its version; every change increments it.
    pub version: u64,
}

/// The state of an aggregate, as its events carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// A car.
    Car(CarState),
    /// A reservation.
    Reservation(ReservationState),
    /// A payment.
    Payment(PaymentState),
}

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

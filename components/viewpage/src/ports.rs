//! What this context needs from outside: a SQL database, and for a rebuild the word of the contexts
//! whose state it shows.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use kit::http::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One value of a row, or one parameter of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Nothing.
    Null,
}

/// Why the database gave no answer. Whether a statement took effect is then unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database of the view does not answer: {0}")]
pub struct DatabaseError(pub String);

/// A SQLite database.
pub trait Database {
    /// Runs one statement, as a transaction of its own, and returns all its rows.
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError>;
}

/// A context whose state the view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceContext {
    /// Of cars.
    Car,
    /// Of reservations.
    Reservation,
    /// Of payments.
    Payment,
}

/// What a context says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSnapshot {
    /// The resource.
    pub body: Json,
    /// Its version, if it is a single one.
    pub version: Option<u64>,
}

/// Why a context says nothing of use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContextError(pub String);

/// The other contexts.
pub trait ContextClient {
    /// Reads what is at `path`; `None` if nothing is.
    async fn read(
        &self,
        owner: SourceContext,
        path: &str,
    ) -> Result<Option<ResourceSnapshot>, ContextError>;
}

/// A borrowed database is a database.
impl<R: Database> Database for &R {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        (**self).run(statement, parameters).await
    }
}

/// The database does not answer: nobody's fault, and worth another try.
impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Self::unavailable(error.to_string(), 1)
    }
}

/// So with the other contexts.
impl From<ContextError> for Problem {
    fn from(error: ContextError) -> Self {
        Self::unavailable(error.to_string(), 1)
    }
}

// === impl SourceContext ===

impl SourceContext {
    /// What its resources are called in paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Car => "cars",
            Self::Reservation => "reservations",
            Self::Payment => "payments",
        }
    }

    /// The table of its aggregates here, and their id, there as here.
    #[must_use]
    pub const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Car => ("cars", "carId"),
            Self::Reservation => ("reservations", "rsvId"),
            Self::Payment => ("payments", "payId"),
        }
    }

    /// Who is asked after this one.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Car => Some(Self::Reservation),
            Self::Reservation => Some(Self::Payment),
            Self::Payment => None,
        }
    }
}

// === impl Value ===

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for SqlValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// SQLite counts to 2^63 - 1. Nothing here gets near; what does is an attack, and stays there.
impl From<u64> for SqlValue {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for SqlValue {
    fn from(truth: bool) -> Self {
        Self::Number(i64::from(truth))
    }
}

//! What this context needs from outside: a SQL database.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use kit::http::Problem;

/// One value of a row, or one parameter of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
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
pub struct RowsError(pub String);

/// A SQLite database.
pub trait Rows {
    /// Runs one statement, as a transaction of its own, and returns all its rows.
    async fn run(
        &self,
        statement: &str,
        parameters: &[Value],
    ) -> Result<Vec<Vec<Value>>, RowsError>;
}

/// A borrowed database is a database.
impl<R: Rows> Rows for &R {
    async fn run(
        &self,
        statement: &str,
        parameters: &[Value],
    ) -> Result<Vec<Vec<Value>>, RowsError> {
        (**self).run(statement, parameters).await
    }
}

/// The database does not answer: nobody's fault, and worth another try.
impl From<RowsError> for Problem {
    fn from(error: RowsError) -> Self {
        Self::unavailable(error.to_string(), 1)
    }
}

// === impl Value ===

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// SQLite counts to 2^63 - 1. Nothing here gets near; what does is an attack, and stays there.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Number(i64::from(truth))
    }
}

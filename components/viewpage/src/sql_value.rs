//! The values that the read model stores: whole numbers and texts.

/// One value of a row, or one parameter of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// NULL.
    Null,
}

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

/// Numbers above 2^63 - 1, SQLite's greatest, become that one. No real number comes near it.
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

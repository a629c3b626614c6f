//! A query for one page of a list.

use crate::{column::Column, sql_value::SqlValue};

/// A query for one page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// The value that a row must have in each of these columns. A column occurs at most once.
    pub filters: Vec<(Column, SqlValue)>,
    /// The sort order, most significant key first. The car's number breaks ties.
    pub order: Vec<SortKey>,
    /// How many rows to skip.
    pub offset: u64,
    /// The greatest number of rows to return.
    pub size: u64,
}

/// One column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The column.
    pub column: Column,
    /// Whether the largest value comes first.
    pub descending: bool,
}

//! A query for one page of a list.

use crate::{column::Column, search_text::SearchText, sql_value::SqlValue};

/// A query for one page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// The value that a row must have in each of these columns. A column occurs at most once.
    pub filters: Vec<(Column, SqlValue)>,
    /// The text that the name, the type or the number of a car must contain.
    pub search: Option<SearchText>,
    /// The sort order, most significant key first. The car's number breaks ties.
    pub order: Vec<SortKey>,
    /// How many rows to skip.
    pub offset: u64,
    /// The greatest number of rows to return.
    pub size: u64,
}

impl ListQuery {
    /// Whether the list depends on reservations and payments: it is filtered or sorted by one of their columns.
    #[must_use]
    pub fn is_about_reservations(&self) -> bool {
        let filters = self.filters.iter().map(|(column, _)| column);
        let order = self.order.iter().map(|key| &key.column);
        filters.chain(order).any(|column| column.is_optional())
    }
}

/// One column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The column.
    pub column: Column,
    /// Whether the largest value comes first.
    pub descending: bool,
}

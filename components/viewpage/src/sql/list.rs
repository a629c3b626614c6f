//! One page of a list and the number of all its rows, in one statement.
//!
//! There are three plans:
//!
//! - A list sorted by one column, whole or filtered to one value of that column, is a *range* of that order. The
//!   [rank index](super::rank_index) finds its rows, any page at the same cost. The first pages of a whole list are read
//!   without it.
//! - Every other list is a *search*: its rows match several filters, or are sorted by other columns than the filter.
//! - A list with the text of a search uses the [text index](super::text_index) ([`text_search`]).
//!
//! What a customer sees of reservations is merged into such a list ([`mod@of_customer`]).

mod of_customer;
mod text_search;

pub use of_customer::of_customer;

use super::rank_index::bucket_of;
use crate::{
    column::Column,
    list_query::{ListQuery, SortKey},
    search_text::SearchText,
    sql_value::SqlValue,
};
use std::cmp::Reverse;

/// Up to this number, the matches of a search are read and sorted. More matches than that lie so close together in the
/// requested order that reading along the order soon fills a page. At 100 000 rows and 20 per page, neither reads much
/// more than two thousand rows for the first page, whatever the filter.
const MAX_SORTED_MATCHES: u32 = 1024;

/// Pages that end before this row of a whole list are read along its order: fewer rows are skipped than the rank index of a
/// small fleet has.
const MAX_NEAR_ROWS: u64 = 256;

/// The parameter with the value of the most selective filter.
const FILTER: &str = "?3";

/// The customer whom the reservation in a found row belongs to.
pub(super) const CUSTOMER: &str = "(SELECT customerId FROM $owners WHERE rsvId = found.rsvId)";

/// Which rows of a list are read: their number and the number of rows before them, in SQL.
#[derive(Clone, Copy)]
struct Window {
    size: &'static str,
    offset: &'static str,
}

/// The requested page.
const PAGE: Window = Window {
    size: "?1",
    offset: "?2",
};

/// A list whose statement is wanted.
struct List<'a> {
    /// The columns that are filtered, the most selective one first. Their values are the parameters from 3 on.
    filters: &'a [Column],
    search: Option<&'a SearchText>,
    /// The order of the rows. It ends with the id.
    order: &'a [SortKey],
    window: Window,
    /// Whether the window ends before row [`MAX_NEAR_ROWS`].
    is_near: bool,
}

/// The statement of a list and its parameters. Each result row is the number of all rows, then the columns of a row and the
/// customer whom its reservation belongs to. A page without rows is one result row whose columns are null.
///
/// Parameter 1 is the size of the page, parameter 2 its offset, the others are the values of the filters and then the texts
/// of the search.
#[must_use]
pub fn statement(query: &ListQuery) -> (String, Vec<SqlValue>) {
    let filters = by_selectivity(query.filters.iter());
    let mut parameters = parameters(query, &filters);
    let filters: Vec<Column> = filters.into_iter().map(|(column, _)| *column).collect();
    let list = List {
        filters: &filters,
        search: query.search.as_ref(),
        order: &total_order(query, &filters),
        window: PAGE,
        is_near: is_near(query),
    };
    (plan(&list, &mut parameters), parameters)
}

/// Filters, the most selective one first.
fn by_selectivity<'a>(
    filters: impl Iterator<Item = &'a (Column, SqlValue)>,
) -> Vec<&'a (Column, SqlValue)> {
    let mut filters: Vec<_> = filters.collect();
    filters.sort_by_key(|(column, _)| Reverse(column.selectivity()));
    filters
}

/// The first parameters of a list: the size of the page, its offset and the values of the filters.
fn parameters(query: &ListQuery, filters: &[&(Column, SqlValue)]) -> Vec<SqlValue> {
    let page = [query.size.into(), query.offset.into()].into_iter();
    let values = filters.iter().map(|(_, value)| value.clone());
    page.chain(values).collect()
}

fn is_near(query: &ListQuery) -> bool {
    query.offset.saturating_add(query.size) <= MAX_NEAR_ROWS
}

/// The statement of a list. The texts of its search are added to the parameters.
fn plan(list: &List<'_>, parameters: &mut Vec<SqlValue>) -> String {
    let List { filters, order, .. } = *list;
    if let Some(search) = list.search {
        return text_search::statement(search, list, parameters);
    }
    match (filters, order) {
        ([], _) if list.is_near => search(list),
        ([], [id]) => range(*id, RangeKind::Whole, list.window),
        ([], [key, id]) if key.descending == id.descending => {
            range(*key, RangeKind::Whole, list.window)
        }
        ([filter], [id]) => {
            let column = *filter;
            range(SortKey { column, ..*id }, RangeKind::OneValue, list.window)
        }
        _ => search(list),
    }
}

/// The statement of the row whose `column` is parameter 1.
#[must_use]
pub fn one(column: Column) -> String {
    let columns = Column::select_list();
    format!(
        "SELECT {columns}, {CUSTOMER} FROM $carviews AS found WHERE {column} = ?1 ORDER BY carId LIMIT 1"
    )
}

/// The requested order with the id at its end, without the keys that have no effect: they are filtered to one value, occurred
/// before, or follow the id. The id breaks ties in the direction of the last key, so that one index serves both
/// directions.
fn total_order(query: &ListQuery, filters: &[Column]) -> Vec<SortKey> {
    let tie_breaker = SortKey {
        column: Column::CarId,
        descending: query.order.last().is_some_and(|last| last.descending),
    };
    let mut total: Vec<SortKey> = Vec::new();
    for key in query.order.iter().chain([&tie_breaker]) {
        let decides = |before: &SortKey| [key.column, Column::CarId].contains(&before.column);
        let is_constant = filters.contains(&key.column) && key.column != Column::CarId;
        if !is_constant && !total.iter().any(decides) {
            total.push(*key);
        }
    }
    total
}

/// Which part of an order is listed.
enum RangeKind {
    /// All rows.
    Whole,
    /// The rows whose value is parameter 3.
    OneValue,
}

/// The plan of a range. `extent` is the rank of its first row and its number of rows, `page` the rank of the page's first row
/// and its number of rows, all in ascending order; `bucket` is the bucket that contains the page's first row.
fn range(key: SortKey, kind: RangeKind, window: Window) -> String {
    let SortKey { column, descending } = key;
    let Window { size, offset } = window;
    let columns = Column::select_list();
    let extent = match kind {
        RangeKind::Whole => format!("SELECT 0, sum(held) FROM $shelves_{column}"),
        RangeKind::OneValue => format!(
            "SELECT before, after - before FROM (SELECT {} AS before, {} AS after)",
            rank(column, Bound::Before, FILTER),
            rank(column, Bound::After, FILTER)
        ),
    };
    let first = match descending {
        false => format!("before + {offset}"),
        true => format!("before + max(0, total - {offset} - {size})"),
    };
    let tie_breaker = SortKey {
        column: Column::CarId,
        descending,
    };
    format!(
        "WITH {buckets},
         extent (before, total) AS MATERIALIZED ({extent}),
         page (first, length) AS MATERIALIZED (SELECT {first}, max(0, min({size}, total - {offset})) FROM extent),
         bucket (low, lowId, before) AS MATERIALIZED (
           SELECT low, lowId, before FROM buckets WHERE before <= (SELECT first FROM page) ORDER BY before DESC, low DESC, lowId DESC LIMIT 1),
         found AS (
           SELECT {columns} FROM $carviews WHERE ({column}, carId) >= (SELECT low, +lowId FROM bucket)
           ORDER BY {column}, carId LIMIT (SELECT length FROM page) OFFSET (SELECT first - bucket.before FROM page, bucket))
         SELECT total, {columns}, {CUSTOMER} FROM extent LEFT JOIN found ORDER BY {order}",
        buckets = buckets(column),
        order = order_by(&[key, tie_breaker], IndexUse::Allowed),
    )
}

/// Every bucket of a column, and the rank of its first row.
pub(super) fn buckets(column: Column) -> String {
    format!(
        "buckets (low, lowId, before) AS MATERIALIZED (
           SELECT low, lowId, sum(held) OVER (ORDER BY low, lowId ROWS UNBOUNDED PRECEDING) - held FROM $shelves_{column})"
    )
}

/// A position relative to the rows of one value.
enum Bound {
    Before,
    After,
}

/// A subquery for the number of rows whose value in a column is a parameter.
pub(super) fn matches(column: Column, parameter: &str) -> String {
    let after = rank(column, Bound::After, parameter);
    let before = rank(column, Bound::Before, parameter);
    format!("{after} - {before}")
}

/// A subquery for the number of rows before or up to a parameter in the order of a column: the rows of the buckets before,
/// and those counted along one bucket.
fn rank(column: Column, bound: Bound, parameter: &str) -> String {
    let (id, comparison) = match bound {
        Bound::Before => (0, "<"),
        Bound::After => (i64::MAX, "<="),
    };
    let bucket = bucket_of(column, parameter, &id.to_string());
    format!(
        "((SELECT before FROM buckets WHERE (low, lowId) = ({bucket}))
          + (SELECT count(*) FROM $carviews WHERE ({column}, carId) >= ({bucket}) AND {column} {comparison} {parameter}))"
    )
}

/// The plan of a search. The number of matches of the most selective filter decides whether its matches are read through its
/// index and sorted, or whether the rows are read in the requested order; the plan not taken has LIMIT 0, which costs
/// nothing. Skipped rows are read too, so late pages cost more than early ones.
fn search(list: &List<'_>) -> String {
    let List { filters, order, .. } = *list;
    let Window { size, offset } = list.window;
    let columns = Column::select_list();
    let in_order = order_by(order, IndexUse::Allowed);
    let Some(most_selective) = filters.first() else {
        return format!(
            "WITH extent (total) AS MATERIALIZED (SELECT sum(held) FROM $shelves_carId),
             found AS (SELECT {columns} FROM $carviews ORDER BY {in_order} LIMIT {size} OFFSET {offset})
             SELECT total, {columns}, {CUSTOMER} FROM extent LEFT JOIN found ORDER BY {in_order}"
        );
    };
    let by_filter = matching(filters, IndexUse::Allowed);
    let total = match filters.len() {
        1 => "(SELECT matches FROM most_selective)".to_owned(),
        _ => format!("(SELECT count(*) FROM $carviews WHERE {by_filter})"),
    };
    format!(
        "WITH {buckets},
         most_selective (matches) AS MATERIALIZED (SELECT {matches}),
         extent (total) AS MATERIALIZED (SELECT {total}),
         by_filter AS (
           SELECT {columns} FROM $carviews WHERE {by_filter} ORDER BY {sorted}
           LIMIT (SELECT iif(matches > {MAX_SORTED_MATCHES}, 0, {size}) FROM most_selective) OFFSET {offset}),
         by_order AS (
           SELECT {columns} FROM $carviews WHERE {by_order} ORDER BY {in_order}
           LIMIT (SELECT iif(matches > {MAX_SORTED_MATCHES}, {size}, 0) FROM most_selective) OFFSET {offset}),
         found AS (SELECT * FROM by_filter UNION ALL SELECT * FROM by_order)
         SELECT total, {columns}, {CUSTOMER} FROM extent LEFT JOIN found ORDER BY {in_order}",
        buckets = buckets(*most_selective),
        matches = matches(*most_selective, FILTER),
        sorted = order_by(order, IndexUse::Suppressed),
        by_order = matching(filters, IndexUse::Suppressed),
    )
}

/// Whether SQLite may use an index for an expression. A unary plus keeps it from doing so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IndexUse {
    Allowed,
    Suppressed,
}

impl IndexUse {
    fn prefix(self) -> &'static str {
        match self {
            Self::Allowed => "",
            Self::Suppressed => "+",
        }
    }
}

/// The condition that a row matches every filter. Only the first filter can use an index. The values of the filters are the
/// parameters from 3 on.
fn matching(filters: &[Column], index_use: IndexUse) -> String {
    let term = |(position, column): (usize, &Column)| {
        let index_use = match position {
            0 => index_use,
            _ => IndexUse::Suppressed,
        };
        format!("{}{column} = ?{}", index_use.prefix(), position + 3)
    };
    let terms: Vec<String> = filters.iter().enumerate().map(term).collect();
    terms.join(" AND ")
}

fn order_by(order: &[SortKey], index_use: IndexUse) -> String {
    let prefix = index_use.prefix();
    let term = |SortKey { column, descending }: &SortKey| match descending {
        false => format!("{prefix}{column} ASC"),
        true => format!("{prefix}{column} DESC"),
    };
    order.iter().map(term).collect::<Vec<_>>().join(", ")
}

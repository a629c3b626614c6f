//! One page of a list and the number of all its rows, in one statement.
//!
//! There are two plans:
//!
//! - A list sorted by one column, whole or filtered to one value of that column, is a *range* of that order. The
//!   [rank index](super::rank_index) finds its rows, any page at the same cost.
//! - Every other list is a *search*: its rows match several filters, or are sorted by other columns than the filter.

use super::rank_index::bucket_of;
use crate::{
    column::Column,
    list_query::{ListQuery, SortKey},
    sql_value::SqlValue,
};

/// Up to this number, the matches of a search are read and sorted. More matches than that lie so close together in the
/// requested order that reading along the order soon fills a page. At 100 000 rows and 20 per page, neither reads much
/// more than two thousand rows for the first page, whatever the filter.
const MAX_SORTED_MATCHES: u32 = 1024;

/// The statement of a list and its parameters. Each result row is the number of all rows, then the columns of a row. A page
/// without rows is one result row whose columns are null.
///
/// Parameter 1 is the size of the page, parameter 2 its offset, the others are the values of the filters.
#[must_use]
pub fn statement(query: &ListQuery) -> (String, Vec<SqlValue>) {
    let mut filters = query.filters.clone();
    filters.sort_by_key(|(column, _)| std::cmp::Reverse(column.selectivity()));
    let mut parameters = vec![query.size.into(), query.offset.into()];
    parameters.extend(filters.iter().map(|(_, value)| value.clone()));
    let filters: Vec<Column> = filters.into_iter().map(|(column, _)| column).collect();
    let order = total_order(query, &filters);
    let text = match (&filters[..], &order[..]) {
        ([], [id]) => range(*id, RangeKind::Whole),
        ([], [key, id]) if key.descending == id.descending => range(*key, RangeKind::Whole),
        ([filter], [id]) => {
            let column = *filter;
            range(SortKey { column, ..*id }, RangeKind::OneValue)
        }
        _ => search(&filters, &order),
    };
    (text, parameters)
}

/// The statement of the row whose `column` is parameter 1.
#[must_use]
pub fn one(column: Column) -> String {
    let columns = Column::select_list();
    format!("SELECT {columns} FROM $carviews WHERE {column} = ?1 ORDER BY carId LIMIT 1")
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
fn range(key: SortKey, kind: RangeKind) -> String {
    let SortKey { column, descending } = key;
    let columns = Column::select_list();
    let extent = match kind {
        RangeKind::Whole => format!("SELECT 0, sum(held) FROM $shelves_{column}"),
        RangeKind::OneValue => format!(
            "SELECT before, after - before FROM (SELECT {} AS before, {} AS after)",
            rank(column, Bound::Before),
            rank(column, Bound::After)
        ),
    };
    let first = match descending {
        false => "before + ?2",
        true => "before + max(0, total - ?2 - ?1)",
    };
    let tie_breaker = SortKey {
        column: Column::CarId,
        descending,
    };
    format!(
        "WITH {buckets},
         extent (before, total) AS MATERIALIZED ({extent}),
         page (first, length) AS MATERIALIZED (SELECT {first}, max(0, min(?1, total - ?2)) FROM extent),
         bucket (low, lowId, before) AS MATERIALIZED (
           SELECT low, lowId, before FROM buckets WHERE before <= (SELECT first FROM page) ORDER BY before DESC, low DESC, lowId DESC LIMIT 1),
         found AS (
           SELECT {columns} FROM $carviews WHERE ({column}, carId) >= (SELECT low, +lowId FROM bucket)
           ORDER BY {column}, carId LIMIT (SELECT length FROM page) OFFSET (SELECT first - bucket.before FROM page, bucket))
         SELECT total, {columns} FROM extent LEFT JOIN found ORDER BY {order}",
        buckets = buckets(column),
        order = order_by(&[key, tie_breaker], IndexUse::Allowed),
    )
}

/// Every bucket of a column, and the rank of its first row.
fn buckets(column: Column) -> String {
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

/// A subquery for the number of rows before or up to parameter 3 in the order of a column: the rows of the buckets before,
/// and those counted along one bucket.
fn rank(column: Column, bound: Bound) -> String {
    let (id, comparison) = match bound {
        Bound::Before => (0, "<"),
        Bound::After => (i64::MAX, "<="),
    };
    let bucket = bucket_of(column, "?3", &id.to_string());
    format!(
        "((SELECT before FROM buckets WHERE (low, lowId) = ({bucket}))
          + (SELECT count(*) FROM $carviews WHERE ({column}, carId) >= ({bucket}) AND {column} {comparison} ?3))"
    )
}

/// The plan of a search. The number of matches of the most selective filter decides whether its matches are read through its
/// index and sorted, or whether the rows are read in the requested order; the plan not taken has LIMIT 0, which costs
/// nothing. Skipped rows are read too, so late pages cost more than early ones.
fn search(filters: &[Column], order: &[SortKey]) -> String {
    let columns = Column::select_list();
    let in_order = order_by(order, IndexUse::Allowed);
    let Some(most_selective) = filters.first() else {
        return format!(
            "WITH extent (total) AS MATERIALIZED (SELECT sum(held) FROM $shelves_carId),
             found AS (SELECT {columns} FROM $carviews ORDER BY {in_order} LIMIT ?1 OFFSET ?2)
             SELECT total, {columns} FROM extent LEFT JOIN found ORDER BY {in_order}"
        );
    };
    let by_filter = matching(filters, IndexUse::Allowed);
    let total = match filters.len() {
        1 => "(SELECT matches FROM most_selective)".to_owned(),
        _ => format!("(SELECT count(*) FROM $carviews WHERE {by_filter})"),
    };
    format!(
        "WITH {buckets},
         most_selective (matches) AS MATERIALIZED (SELECT {after} - {before}),
         extent (total) AS MATERIALIZED (SELECT {total}),
         by_filter AS (
           SELECT {columns} FROM $carviews WHERE {by_filter} ORDER BY {sorted}
           LIMIT (SELECT iif(matches > {MAX_SORTED_MATCHES}, 0, ?1) FROM most_selective) OFFSET ?2),
         by_order AS (
           SELECT {columns} FROM $carviews WHERE {by_order} ORDER BY {in_order}
           LIMIT (SELECT iif(matches > {MAX_SORTED_MATCHES}, ?1, 0) FROM most_selective) OFFSET ?2),
         found AS (SELECT * FROM by_filter UNION ALL SELECT * FROM by_order)
         SELECT total, {columns} FROM extent LEFT JOIN found ORDER BY {in_order}",
        buckets = buckets(*most_selective),
        after = rank(*most_selective, Bound::After),
        before = rank(*most_selective, Bound::Before),
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

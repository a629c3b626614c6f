//! One page of rows and the number of all, in one statement.
//!
//! There are two ways. A list in one order, whole or narrowed to one value of the column that orders
//! it, is a stretch of that order: its rows are found through the [`shelves`](super::shelves), any
//! page at the same cost. Every other list is searched: its rows match several things, or are
//! ordered by other things than they match.

use super::{columns, rank_index::bucket_of};
use crate::{
    Column, SqlValue,
    queries::{ListQuery, SortKey},
};

/// Up to this many matches are gathered and sorted; more than that lie so close in the wanted order
/// that walking it soon fills a page. At 100 000 rows and 20 to a page neither reads much more than
/// two thousand rows for the first page, whatever the filter.
const GATHERED: u32 = 1024;

/// The statement for a list. Each row is the number of all rows, then the row's columns; a page
/// without rows is one row whose columns are null.
#[must_use]
pub fn statement(listing: &ListQuery) -> (String, Vec<SqlValue>) {
    let mut filters = listing.filters.clone();
    filters.sort_by_key(|(column, _)| std::cmp::Reverse(column.selectivity()));
    let mut parameters = vec![listing.size.into(), listing.offset.into()];
    parameters.extend(filters.iter().map(|(_, value)| value.clone()));
    let filters: Vec<Column> = filters.into_iter().map(|(column, _)| column).collect();
    let order = total_order(listing, &filters);
    let text = match (&filters[..], &order[..]) {
        ([], [id]) => stretch(*id, Stretch::Whole),
        ([], [column, id]) if column.descending == id.descending => {
            stretch(*column, Stretch::Whole)
        }
        ([filter], [id]) => {
            let column = *filter;
            stretch(SortKey { column, ..*id }, Stretch::OneValue)
        }
        _ => searched(&filters, &order),
    };
    (text, parameters)
}

/// The order that was asked for, without the columns that have no effect (they are the same in all
/// rows found, were named before, or come after the id), and with the id at its end. The id breaks
/// ties in the direction of the last column, so that one index serves both directions.
fn total_order(listing: &ListQuery, filters: &[Column]) -> Vec<SortKey> {
    let ties = SortKey {
        column: Column::CarId,
        descending: listing.order.last().is_some_and(|last| last.descending),
    };
    let mut total: Vec<SortKey> = Vec::new();
    for order in listing.order.iter().chain([&ties]) {
        let decided = |before: &SortKey| [order.column, Column::CarId].contains(&before.column);
        let constant = filters.contains(&order.column) && order.column != Column::CarId;
        if !constant && !total.iter().any(decided) {
            total.push(*order);
        }
    }
    total
}

/// How much of an order is listed.
enum Stretch {
    Whole,
    /// The rows whose value is parameter 3.
    OneValue,
}

/// `place` is where the list lies in the order, `slice` where the page lies, always counted upwards;
/// `shelf` is the one that the page begins on.
fn stretch(order: SortKey, stretch: Stretch) -> String {
    let SortKey { column, descending } = order;
    let columns = columns();
    let place = match stretch {
        Stretch::Whole => format!("SELECT 0, sum(held) FROM $shelves_{column}"),
        Stretch::OneValue => format!(
            "SELECT before, after - before FROM (SELECT {} AS before, {} AS after)",
            rows_until(column, Until::Before),
            rows_until(column, Until::After)
        ),
    };
    let first = match descending {
        false => "before + ?2",
        true => "before + max(0, total - ?2 - ?1)",
    };
    format!(
        "WITH {steps},
         place (before, total) AS MATERIALIZED ({place}),
         slice (first, length) AS MATERIALIZED (SELECT {first}, max(0, min(?1, total - ?2)) FROM place),
         shelf (low, lowId, before) AS MATERIALIZED (
           SELECT low, lowId, before FROM steps WHERE before <= (SELECT first FROM slice) ORDER BY before DESC, low DESC, lowId DESC LIMIT 1),
         found AS (
           SELECT {columns} FROM $carviews WHERE ({column}, carId) >= (SELECT low, +lowId FROM shelf)
           ORDER BY {column}, carId LIMIT (SELECT length FROM slice) OFFSET (SELECT first - shelf.before FROM slice, shelf))
         SELECT total, {columns} FROM place LEFT JOIN found ORDER BY {}",
        sorted(&[order, SortKey { column: Column::CarId, descending }], ""),
        steps = steps(column),
    )
}

/// Every shelf, and how many rows stand before it.
fn steps(column: Column) -> String {
    format!(
        "steps (low, lowId, before) AS MATERIALIZED (
           SELECT low, lowId, sum(held) OVER (ORDER BY low, lowId ROWS UNBOUNDED PRECEDING) - held FROM $shelves_{column})"
    )
}

/// Which side of the rows that have a value.
enum Until {
    Before,
    After,
}

/// Counts the rows until parameter 3 in a column's order: the shelves before, and a walk along one.
fn rows_until(column: Column, until: Until) -> String {
    let (id, smaller) = match until {
        Until::Before => (0, "<"),
        Until::After => (i64::MAX, "<="),
    };
    let shelf = bucket_of(column, "?3", &id.to_string());
    format!(
        "((SELECT before FROM steps WHERE (low, lowId) = ({shelf}))
          + (SELECT count(*) FROM $carviews WHERE ({column}, carId) >= ({shelf}) AND {column} {smaller} ?3))"
    )
}

/// The matches of the finest filter decide whether they are gathered through its index, or whether
/// the wanted order is walked; the way not taken has LIMIT 0, which costs nothing. A unary plus keeps
/// an index out of the way. Rows that are skipped are read, so late pages cost more than early ones.
fn searched(filters: &[Column], order: &[SortKey]) -> String {
    let columns = columns();
    let Some(finest) = filters.first() else {
        return format!(
            "WITH place (total) AS MATERIALIZED (SELECT sum(held) FROM $shelves_carId),
             found AS (SELECT {columns} FROM $carviews ORDER BY {walked} LIMIT ?1 OFFSET ?2)
             SELECT total, {columns} FROM place LEFT JOIN found ORDER BY {walked}",
            walked = sorted(order, "")
        );
    };
    let total = match filters.len() {
        1 => "(SELECT matches FROM finest)".to_owned(),
        _ => format!(
            "(SELECT count(*) FROM $carviews WHERE {})",
            matching(filters, "")
        ),
    };
    format!(
        "WITH {steps},
         finest (matches) AS MATERIALIZED (SELECT {after} - {before}),
         place (total) AS MATERIALIZED (SELECT {total}),
         gathered AS (
           SELECT {columns} FROM $carviews WHERE {by_filter} ORDER BY {sorted}
           LIMIT (SELECT iif(matches > {GATHERED}, 0, ?1) FROM finest) OFFSET ?2),
         walked AS (
           SELECT {columns} FROM $carviews WHERE {any} ORDER BY {in_order}
           LIMIT (SELECT iif(matches > {GATHERED}, ?1, 0) FROM finest) OFFSET ?2),
         found AS (SELECT * FROM gathered UNION ALL SELECT * FROM walked)
         SELECT total, {columns} FROM place LEFT JOIN found ORDER BY {in_order}",
        steps = steps(*finest),
        after = rows_until(*finest, Until::After),
        before = rows_until(*finest, Until::Before),
        by_filter = matching(filters, ""),
        sorted = sorted(order, "+"),
        any = matching(filters, "+"),
        in_order = sorted(order, ""),
    )
}

/// That a row matches every filter; only the first may lead through an index, unless a plus
/// forbids that too. The filters' values are the parameters from 3 on.
fn matching(filters: &[Column], plus: &str) -> String {
    let term = |(index, column): (usize, &Column)| {
        let plus = if index == 0 { plus } else { "+" };
        format!("{plus}{column} = ?{}", index + 3)
    };
    let terms: Vec<String> = filters.iter().enumerate().map(term).collect();
    terms.join(" AND ")
}

fn sorted(order: &[SortKey], plus: &str) -> String {
    let term = |SortKey { column, descending }: &SortKey| match descending {
        false => format!("{plus}{column} ASC"),
        true => format!("{plus}{column} DESC"),
    };
    order.iter().map(term).collect::<Vec<_>>().join(", ")
}

/// The row whose `column` is parameter 1.
#[must_use]
pub fn one(column: Column) -> String {
    let columns = columns();
    format!("SELECT {columns} FROM $carviews WHERE {column} = ?1 ORDER BY carId LIMIT 1")
}

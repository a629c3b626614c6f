//! The plan of a list with the text of a search.
//!
//! A statement contains three ways to the rows of a page, and the numbers of matches decide which one is taken: the cars
//! that the text index names are read and sorted; the matches of the most selective filter are; or the rows are read in the
//! requested order, until enough of them match. The ways not taken have LIMIT 0, which costs nothing.

use super::{
    CUSTOMER, FILTER, IndexUse, List, MAX_SORTED_MATCHES, Window, buckets, matches, matching,
    order_by,
};
use crate::{
    column::Column,
    search_text::SearchText,
    sql::text_index::{BLOCK, contains},
    sql_value::SqlValue,
};

/// Up to this number, the cars that the text index names are read and sorted. The index is read a block at a time, so that a
/// car of it costs more than one that an ordinary index names.
const MAX_SORTED_CARS: u32 = 256;

/// The statement of a list with a search, whose texts are added to the parameters.
pub(super) fn statement(
    search: &SearchText,
    list: &List<'_>,
    parameters: &mut Vec<SqlValue>,
) -> String {
    let List { filters, order, .. } = *list;
    let Window { size, offset } = list.window;
    let mut parameter = |text: &str| {
        parameters.push(text.into());
        format!("?{}", parameters.len())
    };
    let text = parameter(search.as_str());
    let grams: Vec<String> = search.grams().iter().map(|gram| parameter(gram)).collect();
    let columns = Column::select_list();
    let contains = contains(&text);
    let all_filters = match filters {
        [] => "TRUE".to_owned(),
        _ => matching(filters, IndexUse::Suppressed),
    };
    let filter = filters.first().map(|most_selective| FilterPlan {
        buckets: format!("{},", buckets(*most_selective)),
        matches: matches(*most_selective, FILTER),
        rows: format!(
            "$carviews WHERE {} AND {contains}",
            matching(filters, IndexUse::Allowed)
        ),
    });
    let numbers = format!(
        "SELECT block * {BLOCK} + bit AS car FROM named CROSS JOIN $bits ON (bits >> bit) & 1"
    );
    // The cars of the index contain every gram; those of a longer text are compared with it.
    let (found, cars) = match search.is_gram() {
        true => (numbers, "(SELECT coalesce(sum(cars), 0) FROM named)"),
        false => (
            format!(
                "SELECT car FROM ({numbers}) CROSS JOIN $carviews ON carId = car WHERE {contains}"
            ),
            "(SELECT count(*) FROM candidate)",
        ),
    };
    let materialized = if search.is_gram() {
        "NOT MATERIALIZED"
    } else {
        "MATERIALIZED"
    };
    let candidates = format!("candidate CROSS JOIN $carviews ON carId = car WHERE {all_filters}");
    let total = match &filter {
        None => cars.to_owned(),
        Some(filter) => format!(
            "(SELECT CASE WHEN filtered < {cars} THEN (SELECT count(*) FROM {rows})
               ELSE (SELECT count(*) FROM {candidates}) END FROM matches)",
            rows = filter.rows
        ),
    };
    let filter = filter.unwrap_or_else(|| FilterPlan {
        buckets: String::new(),
        matches: i64::MAX.to_string(),
        rows: format!("$carviews WHERE {contains}"),
    });
    let limit = |way: &str| {
        format!("LIMIT (SELECT iif(way = '{way}', {size}, 0) FROM plan) OFFSET {offset}")
    };
    format!(
        "WITH {buckets}
         named (block, cars, bits) AS MATERIALIZED ({named_cars}),
         candidate (car) AS {materialized} ({found}),
         matches (filtered) AS MATERIALIZED (SELECT {filtered}),
         plan (way) AS MATERIALIZED (
           SELECT CASE WHEN (SELECT count(*) FROM (SELECT 1 FROM candidate LIMIT {MAX_SORTED_CARS} + 1)) <= {MAX_SORTED_CARS} THEN 'text'
             WHEN filtered <= {MAX_SORTED_MATCHES} THEN 'filter' ELSE 'order' END FROM matches),
         extent (total) AS MATERIALIZED (SELECT {total}),
         by_text AS (SELECT {columns} FROM {candidates} ORDER BY {sorted} {by_text}),
         by_filter AS (SELECT {columns} FROM {rows} ORDER BY {sorted} {by_filter}),
         by_order AS (SELECT {columns} FROM $carviews WHERE {all_filters} AND {contains} ORDER BY {in_order} {by_order}),
         found AS (SELECT * FROM by_text UNION ALL SELECT * FROM by_filter UNION ALL SELECT * FROM by_order)
         SELECT total, {columns}, {CUSTOMER} FROM extent LEFT JOIN found ORDER BY {in_order}",
        buckets = filter.buckets,
        named_cars = named_cars(&grams),
        filtered = filter.matches,
        rows = filter.rows,
        sorted = order_by(order, IndexUse::Suppressed),
        in_order = order_by(order, IndexUse::Allowed),
        by_text = limit("text"),
        by_filter = limit("filter"),
        by_order = limit("order"),
    )
}

/// What the most selective filter contributes.
struct FilterPlan {
    /// The common table expression of the buckets of its column.
    buckets: String,
    /// The number of its matches.
    matches: String,
    /// The rows that match all filters and contain the text, found by its index.
    rows: String,
}

/// A subquery for the blocks with cars that have all grams, and these cars. The number of cars of a block is exact for one
/// gram, and at least as great as it is for several.
fn named_cars(grams: &[String]) -> String {
    let [first, others @ ..] = grams else {
        return "SELECT 0, 0, 0 WHERE FALSE".to_owned();
    };
    let mut cars = "gram0.cars".to_owned();
    let mut bits = "gram0.bits".to_owned();
    let mut tables = "$grams AS gram0".to_owned();
    for (position, gram) in (1..).zip(others) {
        let table = format!("gram{position}");
        cars = format!("min({cars}, {table}.cars)");
        bits = format!("{bits} & {table}.bits");
        tables += &format!(
            " CROSS JOIN $grams AS {table} ON {table}.gram = {gram} AND {table}.block = gram0.block"
        );
    }
    format!(
        "SELECT gram0.block, {cars}, {bits} FROM {tables} WHERE gram0.gram = {first} AND ({bits}) <> 0"
    )
}

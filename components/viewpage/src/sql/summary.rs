//! The numbers of the whole fleet, from the rank index.

use super::list::{CUSTOMER, buckets, matches};
use crate::column::Column;

/// The most rows that need attention.
const MAX_ATTENTION: u32 = 100;

/// The statement of the number of cars, and of those with the statuses of parameters 1 and 2.
#[must_use]
pub fn counts() -> String {
    let column = Column::CarStatus;
    format!(
        "WITH {buckets} SELECT (SELECT coalesce(sum(held), 0) FROM $shelves_carId), {first}, {second}",
        buckets = buckets(column),
        first = matches(column, "?1"),
        second = matches(column, "?2"),
    )
}

/// The statement of the rows whose reservation is not settled yet, at most 100.
#[must_use]
pub fn attention() -> String {
    let columns = Column::select_list();
    format!(
        "SELECT {columns}, {CUSTOMER} FROM $carviews AS found WHERE rsvStatus IN ('reqCancel', 'reqReserve')
         ORDER BY rsvStatus, carId LIMIT {MAX_ATTENTION}"
    )
}

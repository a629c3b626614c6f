//! The statements on SQLite: the counts of the rank index, the query plans, and the cost.

use crate::{
    column::Column,
    fixtures::*,
    list_query::{ListQuery, SortKey},
    sql_value::SqlValue,
};

mod cost;
mod plans;
mod rank_index;

/// Inserts rows directly into the view, in an order that no column has.
fn fill(model: &MemoryModel, cars: u64) {
    let columns = Column::select_list();
    let fill = format!(
        "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?1),
         car (id) AS (SELECT n * 7919 % ?1 + 1 FROM number)
         INSERT INTO $carviews ({columns})
         SELECT id, 'Car ' || (id * 31 % 9973), substr('SUVbusvan', id % 3 * 3 + 1, 3), id * 17 % 1000,
           iif(id % 4 > 0, 'available', 'reserved'), ?1 - id, 'reserved', id, 'paid' FROM car"
    );
    sql(model, &fill, &[cars.into()]);
}

fn page(order: SortKey, offset: u64) -> ListQuery {
    ListQuery {
        order: vec![order],
        offset,
        size: 20,
        ..ListQuery::default()
    }
}

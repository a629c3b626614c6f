//! Opening the tables of an older version.

use super::*;
use crate::{
    column::Column,
    fixtures::*,
    list_query::{ListQuery, SortKey},
    memory::MemoryDatabase,
    search_text::SearchText,
};
use events::CustomerId;
use futures::executor::block_on;
use kit::Principal;
use std::cell::Cell;

/// A database that fails after some statements, as when an instance is ended while it opens the tables.
struct Interrupted<'a> {
    database: &'a MemoryDatabase,
    statements_left: Cell<usize>,
}

impl Database for Interrupted<'_> {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let left = self.statements_left.get().checked_sub(1);
        self.statements_left.set(left.ok_or_else(interrupted)?);
        self.database.run(statement, parameters).await
    }
}

fn interrupted() -> DatabaseError {
    DatabaseError("interrupted".into())
}

/// Tables of the version that had neither a text index nor the cars of the customers, with this number of cars. Alice has
/// reserved car 7.
fn old_tables(cars: u64) -> MemoryModel {
    let model = model();
    let names = "SELECT type, name FROM sqlite_schema WHERE name GLOB '$grams*' OR name GLOB '$customer_cars*'
         OR name IN ('$slices', '$bits') ORDER BY type DESC";
    for row in sql(&model, names, &[]) {
        let [SqlValue::Text(kind), SqlValue::Text(name)] = &row[..] else {
            panic!("{row:?}");
        };
        sql(&model, &format!("DROP {kind} IF EXISTS {name}"), &[]);
    }
    sql(
        &model,
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
         INSERT INTO $cars SELECT n, 0, 1, '', 'Kia Ray', 'EV', n, 'available' FROM number",
        &[cars.into()],
    );
    project(
        &model,
        &of_customer("alice", reservation(1, 1, 7, "reserved")),
    );
    model
}

#[test]
fn an_interrupted_opening_of_an_older_version_is_continued_by_the_next_one() {
    const CARS: u64 = 600;
    for statements in 0.. {
        let model = old_tables(CARS);
        let interrupted = Interrupted {
            database: model.database(),
            statements_left: Cell::new(statements),
        };
        let is_complete = block_on(ReadModel::open(interrupted, model.generation)).is_ok();
        let reopened = block_on(ReadModel::open(model.database(), model.generation)).unwrap();
        let search = ListQuery {
            search: SearchText::parse("ray"),
            size: 1,
            ..ListQuery::default()
        };
        let page = block_on(reopened.list(&search)).unwrap();
        assert_eq!(page.total, CARS, "after {statements} statements");
        let own = ListQuery {
            filters: vec![(Column::RsvStatus, "reserved".into())],
            size: 1,
            order: vec![SortKey {
                column: Column::CarId,
                descending: true,
            }],
            ..ListQuery::default()
        };
        let alice = Principal::Customer(CustomerId("alice".into()));
        let page = block_on(reopened.visible_list(&own, &alice)).unwrap();
        let cars: Vec<u64> = page.rows.iter().map(|row| row.car_id.0).collect();
        assert_eq!(cars, [7], "after {statements} statements");
        if is_complete {
            assert!(statements > 10);
            return;
        }
    }
}

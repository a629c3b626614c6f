use super::*;
use crate::{
    SqlValue,
    fixtures::*,
    projection::row_update,
    queries::{ListQuery, SortKey},
};
use rank_index::{MAX_BUCKET_ROWS, MIN_BUCKET_ROWS};
use rusqlite::{StatementStatus, params_from_iter};

/// Puts rows into the view directly, in an order that is nobody's.
fn fill(model: &Model, cars: u64) {
    let columns = columns();
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

/// How many steps SQLite's machine takes for a list.
fn steps(model: &Model, listing: &ListQuery) -> i32 {
    let (text, parameters) = list::statement(listing);
    steps_of(model, &text, &parameters)
}

/// How many steps SQLite's machine takes for a statement, triggers included.
fn steps_of(model: &Model, text: &str, parameters: &[SqlValue]) -> i32 {
    let text = text.replace('$', "g1_");
    let mut statement = model.database().connection.prepare(&text).unwrap();
    let mut found = statement.query(params_from_iter(parameters)).unwrap();
    while found.next().unwrap().is_some() {}
    drop(found);
    statement.get_status(StatementStatus::VmStep)
}

fn plan(model: &Model, listing: &ListQuery) -> String {
    let (text, parameters) = list::statement(listing);
    let rows = sql(model, &format!("EXPLAIN QUERY PLAN {text}"), &parameters);
    let detail = |row: &Vec<SqlValue>| match &row[3] {
        SqlValue::Text(detail) => detail.clone(),
        other => panic!("{other:?}"),
    };
    rows.iter().map(detail).collect::<Vec<_>>().join("\n")
}

/// Each shelf of a column: where it begins, how many rows it says it holds and how many it does.
fn shelves_of(model: &Model, column: Column) -> Vec<(i64, i64)> {
    let text = format!(
        "SELECT held, (SELECT count(*) FROM $carviews
           WHERE ({column}, carId) >= (shelf.low, shelf.lowId) AND (shelf.next IS NULL
             OR ({column}, carId) < (shelf.next, shelf.nextId)))
         FROM (SELECT *, lead(low) OVER (ORDER BY low, lowId) AS next, lead(lowId) OVER (ORDER BY low, lowId) AS nextId
           FROM $shelves_{column}) AS shelf ORDER BY low, lowId"
    );
    let number = |value: &SqlValue| match value {
        SqlValue::Number(number) => *number,
        other => panic!("{other:?}"),
    };
    let rows = sql(model, &text, &[]);
    rows.iter()
        .map(|row| (number(&row[0]), number(&row[1])))
        .collect()
}

fn check_shelves(model: &Model) -> usize {
    let mut most = 0;
    for column in Column::ALL {
        let rank_index = shelves_of(model, column);
        for (index, (says, holds)) in rank_index.iter().enumerate() {
            assert_eq!(says, holds, "shelf {index} of {column}");
            assert!(
                *says <= i64::from(MAX_BUCKET_ROWS),
                "{column}: {rank_index:?}"
            );
            assert!(
                index == 0 || *says >= i64::from(MIN_BUCKET_ROWS),
                "{column}: {rank_index:?}"
            );
        }
        most = most.max(rank_index.len());
    }
    most
}

#[test]
fn shelves_count_right_while_rows_come_move_and_go() {
    let model = model();
    fill(&model, 6000);
    assert!(check_shelves(&model) > 5);
    sql(
        &model,
        "UPDATE $carviews SET carStatus = 'reserved', rsvId = rsvId + 9000 WHERE carId % 3 = 0",
        &[],
    );
    check_shelves(&model);
    sql(
        &model,
        "UPDATE $carviews SET amount = 7, carName = 'same' WHERE carId > 100",
        &[],
    );
    check_shelves(&model);
    sql(
        &model,
        "UPDATE $carviews SET amount = carId, carName = 'Car ' || carId",
        &[],
    );
    check_shelves(&model);
    sql(&model, "DELETE FROM $carviews WHERE carId % 10 > 0", &[]);
    check_shelves(&model);
    sql(&model, "DELETE FROM $carviews", &[]);
    assert_eq!(check_shelves(&model), 1);
}

#[test]
fn every_order_comes_from_an_index() {
    let model = model();
    for column in Column::ALL {
        for order in [ascending(column), descending(column)] {
            let plan = plan(&model, &page(order, 40));
            let index = match column {
                Column::CarId => {
                    "SEARCH g1_carviews USING INTEGER PRIMARY KEY (rowid>?)".to_owned()
                }
                _ => format!(
                    "SEARCH g1_carviews USING INDEX g1_by_{column} (({column},rowid)>(?,?))"
                ),
            };
            assert!(plan.contains(&index), "{column}: {plan}");
            assert!(!plan.contains("SCAN g1_carviews"), "{column}: {plan}");
        }
    }
}

#[test]
fn every_filter_comes_from_an_index() {
    let model = model();
    for column in Column::ALL {
        let value = column.parse("1").unwrap();
        let listing = ListQuery {
            filters: vec![(column, value)],
            size: 20,
            ..ListQuery::default()
        };
        let text = plan(&model, &listing);
        assert!(!text.contains("SCAN g1_carviews"), "{column}: {text}");
        let one = sql(
            &model,
            &format!("EXPLAIN QUERY PLAN {}", list::one(column)),
            &[1_i64.into()],
        );
        assert!(format!("{one:?}").contains("SEARCH"), "{column}: {one:?}");
    }
}

#[test]
fn any_page_of_100_000_cars_costs_what_a_page_of_1_000_costs() {
    let (small, large) = (model(), model());
    fill(&small, 1_000);
    fill(&large, 100_000);
    let dearest = |model: &Model, cars: u64, filters: &[(Column, SqlValue)], column: Column| {
        let cost = |offset: u64| {
            [ascending(column), descending(column)].map(|order| {
                let filters = filters.to_vec();
                steps(
                    model,
                    &ListQuery {
                        filters,
                        ..page(order, offset)
                    },
                )
            })
        };
        let offsets = [0, cars / 7, cars / 2, cars - 20, cars + 100];
        offsets.into_iter().flat_map(cost).max().unwrap()
    };
    let filtered = [
        (Column::CarStatus, "available"),
        (Column::CarType, "SUV"),
        (Column::PayStatus, "paid"),
        (Column::Amount, "17"),
        (Column::CarName, "nobody"),
    ];
    let filtered = filtered.map(|(column, text)| {
        let value = column.parse(text).unwrap();
        (Column::CarId, vec![(column, value)])
    });
    let whole = Column::ALL.map(|column| (column, vec![]));
    let lists: Vec<_> = whole.into_iter().chain(filtered).collect();
    // A page of 1 000 cars may walk along all of them; one of 100 000 walks along a shelf of as many,
    // and adds the shelves up. Stepping over 50 000 rows instead would take twenty times as much.
    let costs_in_small = lists
        .iter()
        .map(|(column, filters)| dearest(&small, 1_000, filters, *column));
    let limit = 2 * costs_in_small.max().unwrap();
    for (column, filters) in &lists {
        let cost = dearest(&large, 100_000, filters, *column);
        assert!(cost < limit, "{filters:?} by {column}: {cost} steps");
    }
}

#[test]
fn the_first_page_of_a_filter_in_another_order_reads_few_rows() {
    let model = model();
    fill(&model, 20_000);
    for (column, text) in [
        (Column::CarStatus, "available"),
        (Column::Amount, "17"),
        (Column::CarType, "SUV"),
    ] {
        for order in [ascending(Column::CarName), descending(Column::RsvId)] {
            let filters = vec![(column, column.parse(text).unwrap())];
            let steps = steps(
                &model,
                &ListQuery {
                    filters,
                    ..page(order, 0)
                },
            );
            assert!(
                steps < 50_000,
                "{column}={text} by {}: {steps} steps",
                order.column
            );
        }
    }
}

/// A fleet that was reserved and paid, and that many refusals for car 1.
fn history(cars: i64) -> Model {
    let model = model();
    let number =
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)";
    for insert in [
        "INSERT INTO $cars SELECT n, 0, 1, '', 'Kia', 'EV', n, 'reserved' FROM number",
        "INSERT INTO $reservations SELECT n, 0, 1, '', n, 'reserved' FROM number",
        "INSERT INTO $reservations SELECT n + ?1, 1, 1, '', 1, 'rejected' FROM number",
        "INSERT INTO $payments SELECT n, 1, '', n, 'paid' FROM number",
    ] {
        sql(&model, &format!("{number} {insert}"), &[cars.into()]);
    }
    model
}

#[test]
fn an_event_costs_the_same_in_a_fleet_with_a_long_history() {
    let (short, long) = (history(500), history(10_000));
    for event in [
        car_modified(1, 2, "Bolt"),
        reservation(50_000, 1, 1, "reqReserve"),
        payment(50_000, 1, 50_000, 1, "paid"),
        reservation(50_000, 2, 1, "rejected"),
        car_deleted(1, 3),
    ] {
        let cost = |model: &Model| {
            let (text, parameters) =
                upsert::statement(row_update(&event.event), event.sequence, &event.id);
            steps_of(model, text, &parameters)
        };
        let (in_short, in_long) = (cost(&short), cost(&long));
        assert!(
            in_long < 2 * in_short,
            "{}: {in_short} steps became {in_long}",
            event.id
        );
    }
}

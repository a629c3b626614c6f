//! The cost of statements, in steps of SQLite's virtual machine.

use super::*;
use crate::{
    projection::row_update,
    search_text::SearchText,
    sql::{list, upsert},
};
use events::CustomerId;
use rusqlite::{StatementStatus, params_from_iter};

/// The steps of a list.
fn steps(model: &MemoryModel, listing: &ListQuery) -> i32 {
    let (text, parameters) = list::statement(listing);
    steps_of(model, &text, &parameters)
}

/// The steps of a list as alice sees it.
fn steps_of_customer(model: &MemoryModel, listing: &ListQuery) -> i32 {
    let (text, parameters) = list::of_customer(listing, &CustomerId("alice".into()));
    steps_of(model, &text, &parameters)
}

/// The steps of a statement, triggers included.
fn steps_of(model: &MemoryModel, text: &str, parameters: &[SqlValue]) -> i32 {
    let text = text.replace('$', "g1_");
    let mut statement = model.database().connection.prepare(&text).unwrap();
    let mut found = statement.query(params_from_iter(parameters)).unwrap();
    while found.next().unwrap().is_some() {}
    drop(found);
    statement.get_status(StatementStatus::VmStep)
}

#[test]
fn a_page_of_100_000_cars_costs_about_as_much_as_a_page_of_1_000() {
    let (small, large) = (model(), model());
    fill(&small, 1_000);
    fill(&large, 100_000);
    let highest_cost =
        |model: &MemoryModel, cars: u64, filters: &[(Column, SqlValue)], column: Column| {
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
        (Column::CarName, "no such name"),
    ];
    let filtered = filtered.map(|(column, text)| {
        let value = column.parse(text).unwrap();
        (Column::CarId, vec![(column, value)])
    });
    let whole = Column::ALL.map(|column| (column, vec![]));
    let lists: Vec<_> = whole.into_iter().chain(filtered).collect();
    // A page of 1 000 cars can read all of them. A page of 100 000 reads one bucket of as many rows, and adds up the
    // buckets. Skipping 50 000 rows instead would take twenty times as many steps.
    let costs_in_small = lists
        .iter()
        .map(|(column, filters)| highest_cost(&small, 1_000, filters, *column));
    let limit = 2 * costs_in_small.max().unwrap();
    for (column, filters) in &lists {
        let cost = highest_cost(&large, 100_000, filters, *column);
        assert!(cost < limit, "{filters:?} by {column}: {cost} steps");
    }
}

/// Gives the reservation of every hundredth car to alice, for up to ten cars, and the others to bob.
fn give_to_customers(model: &MemoryModel) {
    sql(
        model,
        "INSERT INTO $owners
         SELECT rsvId, iif(carId % 100 = 0 AND carId <= 1000, 'alice', 'bob') FROM $carviews WHERE rsvId > 0",
        &[],
    );
}

#[test]
fn a_page_of_60_000_cars_costs_a_customer_about_as_much_as_a_page_of_1_000() {
    let (small, large) = (model(), model());
    for (model, cars) in [(&small, 1_000), (&large, 60_000)] {
        fill(model, cars);
        give_to_customers(model);
    }
    let filter = |column: Column, text: &str| vec![(column, column.parse(text).unwrap())];
    let of_reservations = [
        Column::RsvId,
        Column::RsvStatus,
        Column::PayId,
        Column::PayStatus,
    ];
    let sorted = of_reservations.map(|column| (vec![], column));
    let of_one_value =
        of_reservations.map(|column| (filter(Column::CarStatus, "available"), column));
    let of_other_cars = Column::ALL.map(|column| (filter(Column::RsvStatus, ""), column));
    let of_unpaid_cars = Column::ALL.map(|column| (filter(Column::PayStatus, ""), column));
    let of_own_cars = Column::ALL.map(|column| (filter(Column::PayStatus, "paid"), column));
    let lists = [
        &sorted[..],
        &of_one_value,
        &of_other_cars,
        &of_unpaid_cars,
        &of_own_cars,
    ]
    .concat();
    let highest_cost = |model: &MemoryModel, cars: u64, list: &(Vec<_>, Column)| {
        let cost = |offset: u64| {
            [ascending(list.1), descending(list.1)].map(|order| {
                let filters = list.0.clone();
                let listing = ListQuery {
                    filters,
                    ..page(order, offset)
                };
                steps_of_customer(model, &listing)
            })
        };
        let offsets = [0, 300, cars / 2, cars - 20, cars + 100];
        offsets.into_iter().flat_map(cost).max().unwrap()
    };
    let costs_in_small = lists.iter().map(|list| highest_cost(&small, 1_000, list));
    let limit = 2 * costs_in_small.max().unwrap();
    for list in &lists {
        let cost = highest_cost(&large, 60_000, list);
        assert!(cost < limit, "{list:?}: {cost} steps, more than {limit}");
    }
}

#[test]
fn a_list_of_a_customer_costs_about_as_much_with_a_long_history() {
    let model = model();
    fill(&model, 2_000);
    give_to_customers(&model);
    let listing = page(descending(Column::RsvId), 0);
    let before = steps_of_customer(&model, &listing);
    sql(
        &model,
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 5000)
         INSERT INTO $owners SELECT n + 100000, 'alice' FROM number",
        &[],
    );
    let after = steps_of_customer(&model, &listing);
    assert!(after < 2 * before, "{before} steps became {after}");
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

#[test]
fn a_search_of_100_000_cars_reads_few_rows() {
    let model = model();
    fill(&model, 100_000);
    for (text, limit) in [
        // In every name; in half of the numbers; in one car; in none.
        ("c", 40_000),
        ("1", 40_000),
        ("keine", 1_000),
        ("suv", 40_000),
        ("7x", 1_000),
        // Longer texts are compared with every car that has their grams.
        ("99999", 100_000),
        ("car 99", 300_000),
    ] {
        for order in [ascending(Column::CarId), descending(Column::RsvId)] {
            let listing = ListQuery {
                search: SearchText::parse(text),
                ..page(order, 0)
            };
            let steps = steps(&model, &listing);
            assert!(steps < limit, "{text} by {}: {steps} steps", order.column);
        }
    }
}

/// Cars that are reserved and paid, and as many rejected reservations of car 1.
fn with_history(cars: i64) -> MemoryModel {
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
fn an_event_costs_about_as_much_with_a_long_history() {
    let (short, long) = (with_history(500), with_history(10_000));
    for event in [
        car_modified(1, 2, "Bolt"),
        reservation(50_000, 1, 1, "reqReserve"),
        payment(50_000, 1, 50_000, 1, "paid"),
        reservation(50_000, 2, 1, "rejected"),
        car_deleted(1, 3),
    ] {
        let cost = |model: &MemoryModel| {
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

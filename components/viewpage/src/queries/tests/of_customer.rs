//! The lists that a customer sees, compared with the same lists over all visible rows in memory.

use super::*;
use events::{CustomerId, Event};

fn customer(name: &str) -> Principal {
    Principal::Customer(CustomerId(name.into()))
}

/// The number of the first reservation of a car, in an order that no column has.
fn reservation_of(car: u64) -> u64 {
    car * 7 % 4099 + 1
}

/// Cars of which some are reserved by alice, others by bob, by no known customer, or not at all.
fn shared_fleet(cars: u64) -> MemoryModel {
    let model = model();
    for id in 1..=cars {
        let mut car = car_registered(id, 1, ["Kia", "Bolt", "기아", ""][id as usize % 4]);
        if let Event::CarRegistered(car) = &mut car.event {
            car.amount = id % 5;
            car.car_type = ["EV", "SUV"][id as usize / 2 % 2].into();
            car.status = ["available", "reserved"][id as usize % 2].into();
        }
        project(&model, &car);
        let status = ["reserved", "reqCancel", "cancelled"][id as usize % 3];
        let reservation = reservation(reservation_of(id), 1, id, status);
        match id % 8 {
            0 | 3 | 5 => project(&model, &of_customer("alice", reservation)),
            1 => project(&model, &of_customer("bob", reservation)),
            2 => project(&model, &reservation),
            _ => {}
        }
        if id % 8 < 4 && id % 3 > 0 {
            let status = ["paid", "cancelled"][id as usize % 2];
            let payment = payment(id * 11 % 4099 + 1, 1, reservation_of(id), id, status);
            project(&model, &payment);
        }
        if id % 11 == 0 {
            project(&model, &car_deleted(id, 2));
        }
    }
    model
}

/// All rows as a principal sees them.
fn visible_rows(model: &MemoryModel, principal: &Principal) -> Vec<CarView> {
    let rows = rows(model).into_iter();
    rows.map(|row| authorization::visible(principal, row))
        .collect()
}

/// Further filters: a customer's filters of reservations, alone and with filters of cars.
fn filters_of_reservations() -> Vec<Vec<(Column, SqlValue)>> {
    let car_filters = [
        vec![],
        vec![(Column::CarType, "EV".into())],
        vec![(Column::CarId, 16_i64.into())],
        vec![
            (Column::CarStatus, "reserved".into()),
            (Column::CarName, "Bolt".into()),
        ],
    ];
    let mut filters = Vec::new();
    for of_cars in car_filters {
        for of_reservations in [
            vec![(Column::RsvId, 0_i64.into())],
            vec![(Column::RsvId, 113_i64.into())],
            // The reservation of another customer.
            vec![(Column::RsvId, 64_i64.into())],
            vec![(Column::RsvStatus, "".into())],
            vec![(Column::RsvStatus, "reserved".into())],
            vec![(Column::PayId, 0_i64.into())],
            vec![(Column::PayStatus, "paid".into())],
            vec![
                (Column::PayStatus, "".into()),
                (Column::RsvStatus, "cancelled".into()),
            ],
            vec![
                (Column::PayStatus, "".into()),
                (Column::RsvStatus, "".into()),
            ],
        ] {
            filters.push([of_cars.clone(), of_reservations].concat());
        }
    }
    filters
}

fn orders_of_reservations() -> Vec<Vec<SortKey>> {
    let pairs = [
        (Column::PayStatus, Column::CarName),
        (Column::CarType, Column::RsvStatus),
        (Column::Amount, Column::PayId),
    ];
    let pairs = pairs.iter().flat_map(|(one, other)| {
        [
            vec![ascending(*one), ascending(*other)],
            vec![descending(*one), ascending(*other)],
            vec![ascending(*one), descending(*other)],
            vec![descending(*one), descending(*other)],
        ]
    });
    let three = vec![
        ascending(Column::CarType),
        descending(Column::PayStatus),
        ascending(Column::Amount),
    ];
    pairs.chain([three]).collect()
}

/// Compares pages of a list with the rows in memory.
fn check(
    model: &MemoryModel,
    all: &[CarView],
    query: &ListQuery,
    text: &str,
    pages: &[(u64, u64)],
) {
    let mut expected = expected(all, query);
    expected.retain(|view| search::contains(view, text));
    for (offset, size) in pages {
        let query = ListQuery {
            offset: *offset,
            size: *size,
            ..query.clone()
        };
        let page = block_on(model.visible_list(&query, &customer("alice"))).unwrap();
        assert_eq!(page.total, expected.len() as u64, "{query:?}");
        let offset = usize::try_from(*offset).unwrap();
        let expected = expected.iter().skip(offset).take(*size as usize);
        assert!(
            page.rows.iter().eq(expected.clone()),
            "{query:?}: {:?} instead of {expected:?}",
            page.rows
        );
    }
}

#[test]
fn a_customer_gets_the_pages_of_the_visible_rows_for_any_filter_and_order() {
    let model = shared_fleet(60);
    let all = visible_rows(&model, &customer("alice"));
    let pages = [(0, 1), (7, 7), (21, 7), (30, 3), (49, 20), (0, 100)];
    for filters in filters().into_iter().chain(filters_of_reservations()) {
        for order in orders().into_iter().chain(orders_of_reservations()) {
            let query = ListQuery {
                filters: filters.clone(),
                order,
                ..ListQuery::default()
            };
            check(&model, &all, &query, "", &pages);
        }
    }
}

#[test]
fn a_customer_gets_late_pages_of_a_fleet_of_several_buckets() {
    let model = shared_fleet(2500);
    for id in 1..=2500 {
        // Alice keeps few reservations; those of other customers do not count.
        if id % 97 > 0 {
            project(
                &model,
                &of_customer("bob", reservation(10_000 + id, 1, id, "reserved")),
            );
        }
    }
    let all = visible_rows(&model, &customer("alice"));
    let pages = [
        (0, 20),
        (240, 20),
        (260, 20),
        (1011, 100),
        (2240, 20),
        (2270, 20),
        (2500, 20),
    ];
    for filters in [
        vec![],
        vec![(Column::CarStatus, "reserved".into())],
        vec![(Column::RsvStatus, "".into())],
        vec![(Column::PayStatus, "".into())],
    ] {
        for order in orders().into_iter().chain(orders_of_reservations()) {
            let query = ListQuery {
                filters: filters.clone(),
                order,
                ..ListQuery::default()
            };
            check(&model, &all, &query, "", &pages);
        }
    }
}

#[test]
fn a_customer_gets_the_pages_of_a_search() {
    let model = shared_fleet(400);
    let all = visible_rows(&model, &customer("alice"));
    for text in ["a", "ki", "1", "bolt", "기아", "no such car"] {
        for filters in [
            vec![],
            vec![(Column::CarType, "EV".into())],
            vec![(Column::RsvStatus, "".into())],
            vec![(Column::RsvStatus, "reserved".into())],
            vec![
                (Column::CarType, "EV".into()),
                (Column::PayStatus, "".into()),
                (Column::CarStatus, "reserved".into()),
            ],
        ] {
            for order in [
                vec![ascending(Column::RsvId)],
                vec![descending(Column::PayStatus), ascending(Column::CarName)],
            ] {
                let query = ListQuery {
                    filters: filters.clone(),
                    search: crate::search_text::SearchText::parse(text),
                    order,
                    ..ListQuery::default()
                };
                check(
                    &model,
                    &all,
                    &query,
                    text,
                    &[(0, 20), (13, 9), (150, 20), (395, 20)],
                );
            }
        }
    }
}

#[test]
fn a_rejected_reservation_gives_the_row_back_to_the_customer_of_the_one_before() {
    let model = model();
    project(&model, &car_registered(1, 1, "Kia"));
    let status = |name: &str| {
        let query = ListQuery {
            order: vec![descending(Column::RsvId)],
            size: 20,
            ..ListQuery::default()
        };
        let page = block_on(model.visible_list(&query, &customer(name))).unwrap();
        page.rows[0].rsv_status.clone()
    };
    project(
        &model,
        &of_customer("bob", reservation(2, 1, 1, "cancelled")),
    );
    project(
        &model,
        &of_customer("alice", reservation(4, 1, 1, "reqReserve")),
    );
    assert_eq!(
        (status("alice"), status("bob")),
        (Some("reqReserve".into()), None)
    );
    project(
        &model,
        &of_customer("alice", reservation(4, 2, 1, "rejected")),
    );
    assert_eq!(
        (status("alice"), status("bob")),
        (None, Some("cancelled".into()))
    );
}

/// The owner of a reservation decides who sees it, not the index.
#[test]
fn a_wrong_entry_of_the_index_shows_no_reservation_of_another_customer() {
    let model = model();
    project(&model, &car_registered(1, 1, "Kia"));
    project(
        &model,
        &of_customer("bob", reservation(2, 1, 1, "reserved")),
    );
    sql(
        &model,
        "UPDATE $customer_cars SET customerId = 'alice'",
        &[],
    );
    let query = ListQuery {
        order: vec![descending(Column::RsvId)],
        size: 20,
        ..ListQuery::default()
    };
    let page = block_on(model.visible_list(&query, &customer("alice"))).unwrap();
    assert_eq!((page.total, page.rows[0].rsv_id), (1, None));
}

//! Queries, compared with the same queries over all rows in memory.

use super::*;
use crate::{fixtures::*, list_query::SortKey};
use futures::executor::block_on;

mod of_customer;
mod search;

/// Cars with many equal values in every column but the id, some of them deleted.
fn many_cars() -> MemoryModel {
    let model = model();
    for id in 1..=200_u64 {
        let mut car = car_registered(id, 1, ["Kia", "Bolt", "기아", ""][id as usize % 4]);
        if let events::Event::CarRegistered(car) = &mut car.event {
            car.amount = id % 5;
            car.car_type = ["EV", "SUV"][id as usize % 2].into();
        }
        project(&model, &car);
        if id % 3 > 0 {
            let status = ["reserved", "reqCancel"][id as usize % 2];
            project(&model, &reservation(1000 - id, 1, id, status));
        }
        if id % 3 == 1 {
            project(&model, &payment(id, 1, 1000 - id, id, "paid"));
        }
        if id % 7 == 0 {
            project(&model, &car_deleted(id, 2));
        }
    }
    model
}

fn value(view: &CarView, column: Column) -> SqlValue {
    let text = |text: &Option<String>| SqlValue::Text(text.clone().unwrap_or_default());
    match column {
        Column::CarId => view.car_id.0.into(),
        Column::CarName => view.car_name.as_str().into(),
        Column::CarType => view.car_type.as_str().into(),
        Column::Amount => view.amount.into(),
        Column::CarStatus => view.car_status.as_str().into(),
        Column::RsvId => view.rsv_id.map_or(0, |id| id.0).into(),
        Column::RsvStatus => text(&view.rsv_status),
        Column::PayId => view.pay_id.map_or(0, |id| id.0).into(),
        Column::PayStatus => text(&view.pay_status),
    }
}

/// The expected rows of a list, computed from all rows.
fn expected(all: &[CarView], query: &ListQuery) -> Vec<CarView> {
    let matches = |view: &&CarView| {
        let matches = |(column, wanted): &(Column, SqlValue)| value(view, *column) == *wanted;
        query.filters.iter().all(matches)
    };
    let mut rows: Vec<CarView> = all.iter().filter(matches).cloned().collect();
    let last = query.order.last().is_some_and(|last| last.descending);
    let tie = SortKey {
        column: Column::CarId,
        descending: last,
    };
    rows.sort_by(|a, b| {
        let mut orders = query.order.iter().chain([&tie]);
        let compare = |order: &SortKey| {
            let (a, b) = match (value(a, order.column), value(b, order.column)) {
                (SqlValue::Text(a), SqlValue::Text(b)) => {
                    return directed(a.cmp(&b), order.descending);
                }
                (SqlValue::Number(a), SqlValue::Number(b)) => (a, b),
                other => panic!("{other:?}"),
            };
            directed(a.cmp(&b), order.descending)
        };
        orders
            .find_map(compare)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    rows
}

fn directed(ordering: std::cmp::Ordering, descending: bool) -> Option<std::cmp::Ordering> {
    let ordering = if descending {
        ordering.reverse()
    } else {
        ordering
    };
    ordering.is_ne().then_some(ordering)
}

/// Reads a list page by page.
fn read(
    model: &MemoryModel,
    filters: &[(Column, SqlValue)],
    order: &[SortKey],
    size: u64,
) -> Vec<CarView> {
    let mut rows = Vec::new();
    loop {
        let query = ListQuery {
            filters: filters.to_vec(),
            search: None,
            order: order.to_vec(),
            offset: rows.len() as u64,
            size,
        };
        let found = block_on(model.list(&query)).unwrap();
        if found.rows.is_empty() {
            assert_eq!(found.total, rows.len() as u64, "{query:?}");
            return rows;
        }
        assert!(found.rows.len() as u64 <= size);
        rows.extend(found.rows);
    }
}

fn orders() -> Vec<Vec<SortKey>> {
    let mut orders = vec![vec![]];
    for column in Column::ALL {
        orders.push(vec![ascending(column)]);
        orders.push(vec![descending(column)]);
    }
    orders.push(vec![descending(Column::CarType), ascending(Column::Amount)]);
    orders.push(vec![ascending(Column::CarName), descending(Column::CarId)]);
    orders.push(vec![
        descending(Column::RsvStatus),
        ascending(Column::RsvStatus),
        descending(Column::CarName),
    ]);
    orders
}

fn filters() -> Vec<Vec<(Column, SqlValue)>> {
    vec![
        vec![],
        vec![(Column::CarId, 13_i64.into())],
        vec![(Column::CarName, "기아".into())],
        vec![(Column::CarType, "SUV".into())],
        vec![(Column::Amount, 3_i64.into())],
        vec![(Column::CarStatus, "available".into())],
        vec![(Column::RsvId, 999_i64.into())],
        vec![(Column::RsvStatus, "reserved".into())],
        vec![(Column::RsvStatus, "".into())],
        vec![(Column::PayId, 4_i64.into())],
        vec![(Column::PayStatus, "paid".into())],
        vec![(Column::CarName, "no such name".into())],
        vec![
            (Column::CarType, "EV".into()),
            (Column::Amount, 2_i64.into()),
        ],
        vec![
            (Column::CarStatus, "available".into()),
            (Column::PayStatus, "".into()),
            (Column::CarName, "Kia".into()),
        ],
    ]
}

#[test]
fn pages_neither_lose_nor_repeat_rows_for_any_filter_and_order() {
    let model = many_cars();
    let all = rows(&model);
    assert_eq!(all.len(), 200 - 200 / 7);
    for filters in filters() {
        for order in orders() {
            let query = ListQuery {
                filters: filters.clone(),
                order: order.clone(),
                ..ListQuery::default()
            };
            let expected = expected(&all, &query);
            let read = read(&model, &filters, &order, 13);
            let ids = |rows: &[CarView]| rows.iter().map(|row| row.car_id.0).collect::<Vec<_>>();
            assert_eq!(ids(&read), ids(&expected), "{query:?}");
            assert_eq!(read, expected, "{query:?}");
        }
    }
}

#[test]
fn a_page_beyond_the_last_row_is_empty_and_has_the_total() {
    let model = many_cars();
    let all = rows(&model);
    let max = i64::MAX as u64;
    for offset in [u64::from(u32::MAX) * 1000, max - 1, max, u64::MAX] {
        for order in [vec![], vec![descending(Column::Amount)]] {
            for filters in filters() {
                let query = ListQuery {
                    filters,
                    search: None,
                    order: order.clone(),
                    offset,
                    size: 1000,
                };
                let total = expected(&all, &query).len() as u64;
                let found = block_on(model.list(&query));
                let found = found.unwrap_or_else(|error| panic!("{query:?}: {error}"));
                assert_eq!(found.rows, []);
                assert_eq!(found.total, total, "{query:?}");
                let customer = Principal::Customer(events::CustomerId("alice".into()));
                let found = block_on(model.visible_list(&query, &customer));
                let found = found.unwrap_or_else(|error| panic!("{query:?}: {error}"));
                assert_eq!(found.rows, []);
            }
        }
    }
}

#[test]
fn an_empty_read_model_has_an_empty_page() {
    let model = model();
    for order in orders() {
        assert_eq!(read(&model, &[], &order, 20), []);
    }
}

#[test]
fn a_row_is_found_by_car_by_reservation_and_by_payment() {
    let model = many_cars();
    let by_car = block_on(model.by_car(CarId(4))).unwrap().unwrap();
    assert_eq!(by_car.rsv_id, Some(ReservationId(996)));
    let by_reservation = block_on(model.by_reservation(ReservationId(996))).unwrap();
    assert_eq!(by_reservation.as_ref(), Some(&by_car));
    let by_payment = block_on(model.by_payment(PaymentId(4))).unwrap();
    assert_eq!(by_payment.as_ref(), Some(&by_car));
    assert_eq!(block_on(model.by_payment(PaymentId(5))).unwrap(), None);
}

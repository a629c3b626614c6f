use super::*;
use crate::fixtures::*;
use futures::executor::block_on;

/// Cars with many ties in every column but the id, some of them deleted again.
fn fleet() -> Model {
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

/// What a list should show, worked out by hand from all rows.
fn expected(all: &[CarView], listing: &ListQuery) -> Vec<CarView> {
    let matches = |view: &&CarView| {
        let matches = |(column, wanted): &(Column, SqlValue)| value(view, *column) == *wanted;
        listing.filters.iter().all(matches)
    };
    let mut rows: Vec<CarView> = all.iter().filter(matches).cloned().collect();
    let last = listing.order.last().is_some_and(|last| last.descending);
    let tie = SortKey {
        column: Column::CarId,
        descending: last,
    };
    rows.sort_by(|a, b| {
        let mut orders = listing.order.iter().chain([&tie]);
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

/// Reads a list page by page, as a client does.
fn read(
    model: &Model,
    filters: &[(Column, SqlValue)],
    order: &[SortKey],
    size: u64,
) -> Vec<CarView> {
    let mut rows = Vec::new();
    loop {
        let listing = ListQuery {
            filters: filters.to_vec(),
            order: order.to_vec(),
            offset: rows.len() as u64,
            size,
        };
        let found = block_on(model.list(&listing)).unwrap();
        if found.rows.is_empty() {
            assert_eq!(found.total, rows.len() as u64, "{listing:?}");
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
fn paging_through_ties_loses_and_repeats_nothing_whatever_the_filter_and_the_order() {
    let model = fleet();
    let all = rows(&model);
    assert_eq!(all.len(), 200 - 200 / 7);
    for filters in filters() {
        for order in orders() {
            let listing = ListQuery {
                filters: filters.clone(),
                order: order.clone(),
                ..ListQuery::default()
            };
            let expected = expected(&all, &listing);
            let read = read(&model, &filters, &order, 13);
            let ids = |rows: &[CarView]| rows.iter().map(|row| row.car_id.0).collect::<Vec<_>>();
            assert_eq!(ids(&read), ids(&expected), "{listing:?}");
            assert_eq!(read, expected, "{listing:?}");
        }
    }
}

#[test]
fn a_page_beyond_the_last_is_empty_and_still_counts() {
    let model = fleet();
    for order in [vec![], vec![descending(Column::Amount)]] {
        for filters in filters() {
            let listing = ListQuery {
                filters,
                order: order.clone(),
                offset: u64::from(u32::MAX) * 1000,
                size: 1000,
            };
            let found = block_on(model.list(&listing)).unwrap();
            assert_eq!(found.rows, []);
            let all = expected(&rows(&model), &listing).len() as u64;
            assert_eq!(found.total, all, "{listing:?}");
        }
    }
}

#[test]
fn an_empty_view_has_an_empty_page() {
    let model = model();
    for order in orders() {
        assert_eq!(read(&model, &[], &order, 20), []);
    }
}

#[test]
fn a_row_is_found_by_its_car_its_reservation_and_its_payment() {
    let model = fleet();
    let by_car = block_on(model.of_car(CarId(4))).unwrap().unwrap();
    assert_eq!(by_car.rsv_id, Some(ReservationId(996)));
    let by_reservation = block_on(model.of_reservation(ReservationId(996))).unwrap();
    assert_eq!(by_reservation.as_ref(), Some(&by_car));
    let by_payment = block_on(model.of_payment(PaymentId(4))).unwrap();
    assert_eq!(by_payment.as_ref(), Some(&by_car));
    assert_eq!(block_on(model.of_payment(PaymentId(5))).unwrap(), None);
}

//! Events in any order, repeated, and with deletions.

use super::*;
use crate::{
    car_view::CarView, fixtures::*, generation::ReadModelGeneration, memory::MemoryDatabase,
};
use events::{CarId, PaymentId, ReservationId};
use futures::executor::block_on;

mod history;

/// The events of a car with a confirmed and a rejected reservation.
fn events_of(car: u64) -> Vec<CloudEvent> {
    let (kept, refused, pay) = (car * 10, car * 10 + 1, car * 10);
    vec![
        car_registered(car, 1, "Kia"),
        reservation(kept, 1, car, "reqReserve"),
        payment(pay, 1, kept, car, "paid"),
        reservation(kept, 2, car, "reserved"),
        car_reserved(car, 2, "Kia", kept),
        reservation(refused, 1, car, "reqReserve"),
        reservation(refused, 2, car, "rejected"),
    ]
}

fn final_row(car: u64) -> CarView {
    CarView {
        car_id: CarId(car),
        car_name: "Kia".into(),
        car_type: "EV".into(),
        amount: 100,
        car_status: "reserved".into(),
        rsv_id: Some(ReservationId(car * 10)),
        rsv_status: Some("reserved".into()),
        pay_id: Some(PaymentId(car * 10)),
        pay_status: Some("paid".into()),
        customer_id: None,
    }
}

fn view(model: &MemoryModel, car: u64) -> Option<CarView> {
    block_on(model.by_car(CarId(car))).unwrap()
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for shorter in permutations(count - 1) {
        for position in 0..count {
            let mut longer = shorter.clone();
            longer.insert(position, count - 1);
            all.push(longer);
        }
    }
    all
}

#[test]
fn every_order_of_the_events_ends_in_the_same_row() {
    let model = model();
    let length = events_of(1).len();
    for (car, order) in (1..).zip(permutations(length)) {
        let events = events_of(car);
        for index in &order {
            project(&model, &events[*index]);
        }
        assert_eq!(view(&model, car), Some(final_row(car)), "{order:?}");
    }
}

#[test]
fn a_repeated_event_changes_nothing() {
    let model = model();
    for event in events_of(1) {
        project(&model, &event);
        let before = rows(&model);
        project(&model, &event);
        assert_eq!(rows(&model), before, "{}", event.id);
    }
    for event in events_of(1) {
        project(&model, &event);
        assert_eq!(rows(&model), [final_row(1)], "{}", event.id);
    }
}

#[test]
fn late_events_do_not_restore_a_deleted_car() {
    for late in [
        car_registered(1, 1, "Kia"),
        car_modified(1, 2, "Kia"),
        car_modified(1, 9, "Kia"),
        reservation(1, 1, 1, "reqReserve"),
        payment(1, 1, 1, 1, "paid"),
    ] {
        let model = model();
        project(&model, &car_registered(1, 1, "Kia"));
        project(&model, &car_deleted(1, 3));
        assert_eq!(rows(&model), []);
        project(&model, &late);
        assert_eq!(rows(&model), [], "{}", late.id);
    }
}

#[test]
fn a_car_whose_deletion_is_projected_first_never_appears() {
    let model = model();
    project(&model, &car_deleted(1, 3));
    project(&model, &car_registered(1, 1, "Kia"));
    assert_eq!(rows(&model), []);
}

#[test]
fn a_payment_and_a_reservation_appear_once_their_car_is_projected() {
    let model = model();
    project(&model, &payment(3, 1, 2, 1, "paid"));
    project(&model, &reservation(2, 2, 1, "reserved"));
    assert_eq!(rows(&model), []);
    project(&model, &car_registered(1, 1, "Kia"));
    let view = view(&model, 1).unwrap();
    assert_eq!(view.rsv_id, Some(ReservationId(2)));
    assert_eq!(view.pay_status.as_deref(), Some("paid"));
}

#[test]
fn a_rejected_reservation_is_replaced_by_the_one_before_it() {
    let model = model();
    for event in events_of(1) {
        project(&model, &event);
    }
    let next = reservation(99, 1, 1, "reqReserve");
    project(&model, &next);
    let between = view(&model, 1).unwrap();
    assert_eq!(between.rsv_id, Some(ReservationId(99)));
    assert_eq!(between.pay_id, None);
    project(&model, &reservation(99, 2, 1, "rejected"));
    assert_eq!(view(&model, 1), Some(final_row(1)));
}

#[test]
fn the_later_of_two_events_of_one_commit_wins_in_either_order() {
    let mut first = car_modified(1, 2, "first");
    let mut second = car_modified(1, 2, "second");
    first.id = "car/1/2".into();
    second.id = "car/1/2.1".into();
    for pair in [[&first, &second], [&second, &first]] {
        let model = model();
        pair.into_iter().for_each(|event| project(&model, event));
        assert_eq!(view(&model, 1).unwrap().car_name, "second");
    }
}

#[test]
fn two_generations_do_not_affect_each_other() {
    let database = MemoryDatabase::new().unwrap();
    block_on(async {
        let old = ReadModel::open(&database, ReadModelGeneration::FIRST)
            .await
            .unwrap();
        old.project(&car_registered(1, 1, "Kia")).await.unwrap();
        let next = ReadModelGeneration::numbered(1);
        let new = ReadModel::open(&database, next).await.unwrap();
        assert_eq!(new.by_car(CarId(1)).await.unwrap(), None);
        new.project(&car_registered(1, 1, "Kia")).await.unwrap();
        new.project(&car_deleted(1, 2)).await.unwrap();
        assert!(old.by_car(CarId(1)).await.unwrap().is_some());
    });
}

#[test]
fn opening_completes_missing_tables_and_keeps_existing_ones() {
    let database = MemoryDatabase::new().unwrap();
    block_on(ReadModel::open(&database, ReadModelGeneration::FIRST)).unwrap();
    let drop = "DROP TRIGGER g1_reservations_after_INSERT";
    database.connection.execute_batch(drop).unwrap();
    let again = block_on(ReadModel::open(&database, ReadModelGeneration::FIRST)).unwrap();
    block_on(async {
        again.project(&car_registered(1, 1, "Kia")).await.unwrap();
        let event = reservation(2, 1, 1, "reqReserve");
        again.project(&event).await.unwrap();
        let third = ReadModel::open(&database, ReadModelGeneration::FIRST)
            .await
            .unwrap();
        let view = third.by_car(CarId(1)).await.unwrap().unwrap();
        assert_eq!(view.rsv_id, Some(ReservationId(2)));
    });
}

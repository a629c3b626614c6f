use super::*;
use kit::Persistent as _;

const FIRST: ReservationId = ReservationId(1);
const SECOND: ReservationId = ReservationId(2);

fn car() -> Car {
    let details = CarDetails {
        name: "Kia".into(),
        kind: "EV".into(),
        amount: 100,
    };
    Car::register(CarId(1), details).0
}

fn held() -> Car {
    car().hold(FIRST, Period::OPEN).unwrap().unwrap()
}

fn reserved() -> Car {
    held().confirm(FIRST).unwrap().0
}

#[test]
fn overlapping_bookings_are_refused() {
    let refused = held().hold(SECOND, Period::OPEN);
    assert_eq!(refused, Err(Refusal::NotAvailable(CarId(1))));
    assert!(reserved().hold(SECOND, Period::OPEN).is_err());
}

#[test]
fn bookings_whose_periods_do_not_overlap_are_accepted() {
    let at = |millis| Some(events::Timestamp::from_millis(millis));
    let monday = Period::new(at(1), at(2)).unwrap();
    let tuesday = Period::new(at(2), at(3)).unwrap();
    let car = car().hold(FIRST, monday).unwrap().unwrap();
    let car = car.hold(SECOND, tuesday).unwrap().unwrap();
    assert!(car.hold(ReservationId(3), monday).is_err());
    assert_eq!(car.bookings().len(), 2);
}

#[test]
fn a_second_hold_of_one_reservation_is_a_no_op() {
    assert_eq!(held().hold(FIRST, Period::OPEN), Ok(None));
    assert_eq!(reserved().hold(FIRST, Period::OPEN), Ok(None));
}

#[test]
fn a_car_is_reserved_when_the_reservation_is_confirmed() {
    assert_eq!(held().status(), CarStatus::Available);
    let (car, event) = held().confirm(FIRST).unwrap();
    assert_eq!(car.status(), CarStatus::Reserved);
    assert!(matches!(event, Some(Event::CarReserved(state)) if state.rsv_id == FIRST));
    assert_eq!(car.confirm(FIRST), None);
}

#[test]
fn the_removal_of_a_booking_is_announced_only_if_the_booking_was_announced() {
    assert_eq!(held().remove_booking(FIRST).unwrap().1, None);
    let (car, event) = reserved().remove_booking(FIRST).unwrap();
    assert!(matches!(event, Some(Event::CarCancelled(_))));
    assert_eq!(car.status(), CarStatus::Available);
    assert_eq!(car.remove_booking(FIRST), None);
}

#[test]
fn a_reservation_cannot_remove_the_booking_of_another() {
    assert_eq!(reserved().remove_booking(SECOND), None);
}

#[test]
fn a_confirmation_after_the_cancellation_is_a_no_op() {
    let (car, _) = held().remove_booking(FIRST).unwrap();
    assert_eq!(car.confirm(FIRST), None);
}

#[test]
fn a_hold_that_arrives_after_its_release_is_refused() {
    let (car, _) = car().release(FIRST).unwrap();
    assert!(car.hold(FIRST, Period::OPEN).is_err());
    assert!(car.hold(SECOND, Period::OPEN).is_ok());
}

#[test]
fn any_number_of_holds_is_refused_after_their_release() {
    let last = 3 * MAX_REVOKED_HOLDS as u64;
    // An operator has released a reservation that never was.
    let (mut car, _) = car().release(ReservationId(u64::MAX)).unwrap();
    for number in (1..=last)
        .rev()
        .step_by(2)
        .chain((1..=last).rev().skip(1).step_by(2))
    {
        car = car.release(ReservationId(number)).unwrap_or((car, None)).0;
    }
    for number in 1..=last {
        assert!(
            car.hold(ReservationId(number), Period::OPEN).is_err(),
            "{number}"
        );
        assert_eq!(car.release(ReservationId(number)), None, "{number}");
    }
    assert!(car.hold(ReservationId(last + 1), Period::OPEN).is_ok());
    let Car::Active { revoked_holds, .. } = &car else {
        panic!("{car:?}")
    };
    assert!(revoked_holds.len() <= MAX_REVOKED_HOLDS);
    let record = serde_json::to_vec(&car.to_record()).unwrap();
    assert_eq!(
        Car::from_record(serde_json::from_slice(&record).unwrap()),
        car
    );
}

#[test]
fn a_car_with_a_booking_is_not_deleted() {
    assert_eq!(held().delete(), Err(Refusal::Booked(CarId(1))));
    let (deleted, _) = car().delete().unwrap();
    let unknown = Refusal::Unknown(CarId(1));
    assert_eq!(deleted.hold(FIRST, Period::OPEN), Err(unknown));
    assert_eq!(deleted.delete(), Err(unknown));
}

#[test]
fn modifying_keeps_the_bookings() {
    let mut details = reserved().details().unwrap().clone();
    assert_eq!(reserved().modify(details.clone()), Ok(None));
    details.amount = 7;
    let (car, event) = reserved().modify(details).unwrap().unwrap();
    assert_eq!(car.status(), CarStatus::Reserved);
    assert!(
        matches!(event, Event::CarModified(state) if state.amount == 7 && state.status == "reserved")
    );
}

use super::*;

const PAYMENT: PaymentId = PaymentId(9);
const SAGA: fn() -> SagaToken = || SagaToken::new("cancellation");
const NOW: fn() -> Timestamp = || Timestamp::from_millis(1);

fn requested() -> Reservation {
    Reservation::request(
        ReservationId(1),
        CarId(2),
        None,
        &SagaToken::new("own"),
        NOW(),
        "c",
    )
    .0
}

fn reserved() -> Reservation {
    requested().confirm(PAYMENT, NOW(), "c").unwrap().0
}

fn cancel_requested() -> Reservation {
    reserved()
        .request_cancellation(&SAGA(), NOW(), "c")
        .unwrap()
        .unwrap()
        .0
}

fn rejected() -> Reservation {
    requested()
        .reject(RejectionReason::PaymentDeclined, NOW(), "c")
        .unwrap()
        .0
}

fn cancelled() -> Reservation {
    cancel_requested().cancel(NOW(), "c").unwrap().0
}

#[test]
fn only_a_payment_confirms_a_reservation() {
    let (reservation, event) = requested().confirm(PAYMENT, NOW(), "c").unwrap();
    assert_eq!(reservation.stage, Stage::Reserved { payment: PAYMENT });
    assert!(matches!(event, Event::ReservationConfirmed(state) if state.pay_id == Some(PAYMENT)));
    for late in [rejected(), cancel_requested(), cancelled(), reserved()] {
        assert_eq!(late.confirm(PAYMENT, NOW(), "c"), None);
    }
}

#[test]
fn a_paid_reservation_is_not_rejected() {
    for late in [reserved(), cancel_requested(), cancelled(), rejected()] {
        assert_eq!(late.reject(RejectionReason::Interrupted, NOW(), "c"), None);
    }
}

#[test]
fn a_rejection_is_announced_with_its_reason() {
    let (_, event) = requested()
        .reject(RejectionReason::CarNotAvailable, NOW(), "c")
        .unwrap();
    assert!(matches!(event, Event::ReservationRejected(state)
        if state.reason.as_deref() == Some("car-not-available") && state.pay_id.is_none()));
}

#[test]
fn a_second_cancellation_is_a_no_op() {
    for again in [cancel_requested(), cancelled()] {
        assert_eq!(again.request_cancellation(&SAGA(), NOW(), "c"), Ok(None));
    }
    assert_eq!(cancelled().cancel(NOW(), "c"), None);
}

#[test]
fn only_a_confirmed_reservation_can_be_cancelled() {
    let id = ReservationId(1);
    assert_eq!(
        requested().request_cancellation(&SAGA(), NOW(), "c"),
        Err(Refusal::Undecided(id))
    );
    assert_eq!(
        rejected().request_cancellation(&SAGA(), NOW(), "c"),
        Err(Refusal::Rejected(id))
    );
    assert_eq!(
        reserved().cancel(NOW(), "c"),
        None,
        "a refund without a request cancels nothing"
    );
}

#[test]
fn the_steps_list_the_whole_saga() {
    let steps: Vec<String> = cancelled()
        .steps
        .into_iter()
        .map(|step| step.status)
        .collect();
    assert_eq!(steps, ["reqReserve", "reserved", "reqCancel", "cancelled"]);
}

#[test]
fn a_cancellation_is_a_saga_of_its_own() {
    assert_eq!(reserved().saga, SagaToken::new("own"));
    assert_eq!(cancelled().saga, SAGA());
}

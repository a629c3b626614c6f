use super::*;
use bytes::Bytes;
use kit::http::{Problem, hal};
use serde_json::json;

const CAR: CarId = CarId(7);
const ID: ReservationId = ReservationId(3);

fn found(body: &Value) -> Response {
    hal::found(body)
}

fn html(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::from_static(b"<h1>hello</h1>"));
    *response.status_mut() = status;
    response
}

/// The responses of servers other than the context: HTML pages, and problem documents of other services of this
/// platform.
fn foreign_responses(status: StatusCode, slug: &'static str) -> Vec<Response> {
    let other = Problem::new(status, "other", "Other", "of another service");
    let unknown_path = Problem::new(status, "not-found", "Not Found", "nothing is served here");
    let mut untyped = Problem::new(status, slug, "Ours", "but not as a problem").into_response("/");
    let json = http::HeaderValue::from_static("application/json");
    untyped.headers_mut().insert("content-type", json);
    let mut empty = found(&json!({}));
    *empty.status_mut() = status;
    vec![
        html(status),
        empty,
        untyped,
        other.into_response("/"),
        unknown_path.into_response("/"),
    ]
}

fn unknown_car(car: u64) -> Response {
    Problem::not_found("there is no such car")
        .member("carId", car)
        .into_response("/")
}

#[test]
fn the_responses_of_the_car_context_are_parsed() {
    let held = found(&json!({"carId": 7, "amount": 5}));
    assert_eq!(parse_hold(CAR, &held), Ok(HoldOutcome::Held { amount: 5 }));
    assert_eq!(
        parse_hold(CAR, &unknown_car(7)),
        Ok(HoldOutcome::UnknownCar)
    );
    let taken = Problem::conflict("car-not-available", "Taken", "try another").into_response("/");
    assert_eq!(parse_hold(CAR, &taken), Ok(HoldOutcome::NotAvailable));
    let released = found(&json!({"carId": 7}));
    assert_eq!(parse_release(CAR, &released), Ok(ReleaseOutcome::Released));
    assert_eq!(
        parse_release(CAR, &unknown_car(7)),
        Ok(ReleaseOutcome::UnknownCar)
    );
}

#[test]
fn a_foreign_response_is_not_taken_for_the_car_contexts() {
    let mut foreign = foreign_responses(StatusCode::NOT_FOUND, "not-found");
    foreign.extend(foreign_responses(StatusCode::CONFLICT, "car-not-available"));
    foreign.extend(foreign_responses(StatusCode::OK, "ok"));
    foreign.extend([
        unknown_car(8),
        found(&json!({"carId": 8, "amount": 5})),
        html(StatusCode::BAD_GATEWAY),
    ]);
    for response in foreign {
        assert!(parse_hold(CAR, &response).is_err(), "{response:?}");
        assert!(parse_release(CAR, &response).is_err(), "{response:?}");
    }
}

#[test]
fn the_responses_of_the_payment_context_are_parsed() {
    let paid = found(&json!({"rsvId": 3, "status": "paid", "payId": 9}));
    assert_eq!(
        parse_approval(ID, &paid),
        Ok(ApprovalOutcome::Paid(PaymentId(9)))
    );
    assert_eq!(parse_paid_payment(ID, &paid), Ok(Some(PaymentId(9))));
    assert!(parse_cancellation(ID, &paid).is_err());
    let declined = Problem::new(
        StatusCode::PAYMENT_REQUIRED,
        "payment-declined",
        "No",
        "no money",
    );
    let declined = declined.into_response("/");
    assert_eq!(parse_approval(ID, &declined), Ok(ApprovalOutcome::Declined));
    for status in ["cancelled", "none"] {
        let not_paid = found(&json!({"rsvId": 3, "status": status}));
        assert_eq!(parse_paid_payment(ID, &not_paid), Ok(None));
        assert_eq!(parse_cancellation(ID, &not_paid), Ok(()));
        assert!(parse_approval(ID, &not_paid).is_err());
    }
}

#[test]
fn a_foreign_response_is_not_taken_for_the_payment_contexts() {
    let mut foreign = foreign_responses(StatusCode::PAYMENT_REQUIRED, "payment-declined");
    foreign.extend(foreign_responses(StatusCode::OK, "ok"));
    foreign.extend(foreign_responses(StatusCode::NOT_FOUND, "not-found"));
    foreign.push(found(&json!({"rsvId": 4, "status": "paid", "payId": 9})));
    foreign.push(found(&json!({"rsvId": 4, "status": "none"})));
    for response in foreign {
        assert!(parse_approval(ID, &response).is_err(), "{response:?}");
        assert!(parse_cancellation(ID, &response).is_err(), "{response:?}");
        assert!(parse_paid_payment(ID, &response).is_err(), "{response:?}");
    }
}

#[test]
fn only_the_payment_context_can_report_that_no_payment_was_requested() {
    let effect = |response: &Response| parse_approval(ID, response).unwrap_err().effect;
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let own = Problem::new(
        status,
        "payment-not-asked",
        "Not called",
        "the gateway was not",
    );
    assert_eq!(effect(&own.into_response("/")), Effect::None);
    for foreign in foreign_responses(status, "payment-not-asked") {
        assert_eq!(effect(&foreign), Effect::Unknown, "{foreign:?}");
    }
    assert_eq!(effect(&html(StatusCode::GATEWAY_TIMEOUT)), Effect::TimedOut);
}

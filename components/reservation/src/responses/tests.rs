use super::*;
use bytes::Bytes;
use kit::http::{Problem, hal};
use serde_json::json;

const CAR: CarId = CarId(7);
const ID: ReservationId = ReservationId(3);

fn said(body: &Value) -> Response {
    hal::found(body)
}

fn page(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::from_static(b"<h1>hello</h1>"));
    *response.status_mut() = status;
    response
}

/// Everything that anybody might answer who is not the context: pages, and the problems of somebody
/// else on this very platform.
fn strangers(status: StatusCode, slug: &'static str) -> Vec<Response> {
    let other = Problem::new(status, "other", "Other", "somebody else's");
    let nowhere = Problem::new(status, "not-found", "Not Found", "nothing is served here");
    let mut untyped = Problem::new(status, slug, "Ours", "but not as a problem").into_response("/");
    let json = http::HeaderValue::from_static("application/json");
    untyped.headers_mut().insert("content-type", json);
    let mut empty = said(&json!({}));
    *empty.status_mut() = status;
    vec![
        page(status),
        empty,
        untyped,
        other.into_response("/"),
        nowhere.into_response("/"),
    ]
}

fn unknown_car(car: u64) -> Response {
    Problem::not_found("there is no such car")
        .member("carId", car)
        .into_response("/")
}

#[test]
fn the_car_context_is_believed() {
    let held = said(&json!({"carId": 7, "amount": 5}));
    assert_eq!(parse_hold(CAR, &held), Ok(HoldOutcome::Held { amount: 5 }));
    assert_eq!(
        parse_hold(CAR, &unknown_car(7)),
        Ok(HoldOutcome::UnknownCar)
    );
    let taken = Problem::conflict("car-not-available", "Taken", "try another").into_response("/");
    assert_eq!(parse_hold(CAR, &taken), Ok(HoldOutcome::NotAvailable));
    let released = said(&json!({"carId": 7}));
    assert_eq!(parse_release(CAR, &released), Ok(ReleaseOutcome::Released));
    assert_eq!(
        parse_release(CAR, &unknown_car(7)),
        Ok(ReleaseOutcome::UnknownCar)
    );
}

#[test]
fn whoever_is_not_the_car_context_has_no_say_about_cars() {
    let mut strange = strangers(StatusCode::NOT_FOUND, "not-found");
    strange.extend(strangers(StatusCode::CONFLICT, "car-not-available"));
    strange.extend(strangers(StatusCode::OK, "ok"));
    strange.extend([
        unknown_car(8),
        said(&json!({"carId": 8, "amount": 5})),
        page(StatusCode::BAD_GATEWAY),
    ]);
    for answer in strange {
        assert!(parse_hold(CAR, &answer).is_err(), "{answer:?}");
        assert!(parse_release(CAR, &answer).is_err(), "{answer:?}");
    }
}

#[test]
fn the_payment_context_is_believed() {
    let paid = said(&json!({"rsvId": 3, "status": "paid", "payId": 9}));
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
        let not_paid = said(&json!({"rsvId": 3, "status": status}));
        assert_eq!(parse_paid_payment(ID, &not_paid), Ok(None));
        assert_eq!(parse_cancellation(ID, &not_paid), Ok(()));
        assert!(parse_approval(ID, &not_paid).is_err());
    }
}

#[test]
fn whoever_is_not_the_payment_context_has_no_say_about_money() {
    let mut strange = strangers(StatusCode::PAYMENT_REQUIRED, "payment-declined");
    strange.extend(strangers(StatusCode::OK, "ok"));
    strange.extend(strangers(StatusCode::NOT_FOUND, "not-found"));
    strange.push(said(&json!({"rsvId": 4, "status": "paid", "payId": 9})));
    strange.push(said(&json!({"rsvId": 4, "status": "none"})));
    for answer in strange {
        assert!(parse_approval(ID, &answer).is_err(), "{answer:?}");
        assert!(parse_cancellation(ID, &answer).is_err(), "{answer:?}");
        assert!(parse_paid_payment(ID, &answer).is_err(), "{answer:?}");
    }
}

#[test]
fn only_the_payment_context_can_say_that_nobody_was_asked() {
    let effect = |answer: &Response| parse_approval(ID, answer).unwrap_err().effect;
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let ours = Problem::new(status, "payment-not-asked", "Not asked", "nobody was");
    assert_eq!(effect(&ours.into_response("/")), RemoteEffect::None);
    for strange in strangers(status, "payment-not-asked") {
        assert_eq!(effect(&strange), RemoteEffect::Unknown, "{strange:?}");
    }
    assert_eq!(
        effect(&page(StatusCode::GATEWAY_TIMEOUT)),
        RemoteEffect::TimedOut
    );
}

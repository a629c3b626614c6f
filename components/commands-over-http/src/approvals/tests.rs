use super::*;
use crate::answer::fixtures::{foreign_responses, html};
use http::StatusCode;
use kit::http::{Problem, hal};
use serde_json::{Value, json};

const ID: ReservationId = ReservationId(3);

fn found(body: &Value) -> Response {
    hal::found(body)
}

#[test]
fn the_responses_of_the_payment_context_are_parsed() {
    let paid = found(&json!({"rsvId": 3, "status": "paid", "payId": 9}));
    assert_eq!(parse_approval(ID, &paid), Ok(Ok(PaymentId(9))));
    assert_eq!(parse_paid_payment(ID, &paid), Ok(Some(PaymentId(9))));
    assert!(parse_cancellation(ID, &paid).is_err());
    for (status, slug, refusal) in [
        (402, "payment-declined", ApprovalRefusal::Declined),
        (409, "payment-cancelled", ApprovalRefusal::Cancelled),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let refused = Problem::new(status, slug, "No", "no money").into_response("/");
        assert_eq!(parse_approval(ID, &refused), Ok(Err(refusal)));
    }
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
    foreign.extend(foreign_responses(StatusCode::CONFLICT, "payment-cancelled"));
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
    let slug = "payment-not-asked";
    let own = Problem::new(status, slug, "Not called", "the gateway was not").into_response("/");
    assert_eq!(effect(&own), Effect::None);
    for foreign in foreign_responses(status, slug) {
        assert_eq!(effect(&foreign), Effect::Unknown, "{foreign:?}");
    }
    assert_eq!(effect(&html(StatusCode::GATEWAY_TIMEOUT)), Effect::TimedOut);
}

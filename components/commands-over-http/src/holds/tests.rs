use super::*;
use crate::answer::fixtures::{foreign_responses, html};
use http::StatusCode;
use kit::http::{Problem, hal};
use serde_json::json;

const CAR: CarId = CarId(7);

fn unknown_car(car: u64) -> Response {
    Problem::not_found("there is no such car")
        .member("carId", car)
        .into_response("/")
}

#[test]
fn the_responses_of_the_car_context_are_parsed() {
    let held = hal::found(&json!({"carId": 7, "amount": 5}));
    assert_eq!(parse_hold(CAR, &held), Ok(Ok(5)));
    let unknown = unknown_car(7);
    assert_eq!(parse_hold(CAR, &unknown), Ok(Err(HoldRefusal::UnknownCar)));
    let taken = Problem::conflict("car-not-available", "Taken", "try another").into_response("/");
    assert_eq!(parse_hold(CAR, &taken), Ok(Err(HoldRefusal::NotAvailable)));
    let released = hal::found(&json!({"carId": 7}));
    assert_eq!(parse_release(CAR, &released), Ok(Ok(())));
    assert_eq!(parse_release(CAR, &unknown), Ok(Err(UnknownCar)));
}

#[test]
fn a_foreign_response_is_not_taken_for_the_car_contexts() {
    let mut foreign = foreign_responses(StatusCode::NOT_FOUND, "not-found");
    foreign.extend(foreign_responses(StatusCode::CONFLICT, "car-not-available"));
    foreign.extend(foreign_responses(StatusCode::OK, "ok"));
    foreign.extend([
        unknown_car(8),
        hal::found(&json!({"carId": 8, "amount": 5})),
        html(StatusCode::BAD_GATEWAY),
    ]);
    for response in foreign {
        assert!(parse_hold(CAR, &response).is_err(), "{response:?}");
        assert!(parse_release(CAR, &response).is_err(), "{response:?}");
    }
}

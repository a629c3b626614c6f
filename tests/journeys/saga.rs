//! Does a reservation run through its saga: one synchronous chain of car and payment, then events? Checkpoint SAGA.

use harness::{
    Mode, PAYMENT_LIMIT, Platform, Reservation, Setup, confirmation_text, eventually,
    rejection_text,
};
use serde_json::json;

harness::journeys!(
    a_reservation_is_confirmed_paid_messaged_and_shown,
    a_reservation_needs_no_status_in_its_request,
    a_car_is_reserved_only_once,
    an_unavailable_car_leaves_a_rejected_reservation_with_its_reason,
    an_unknown_car_is_not_found_and_no_reservation_stays_pending,
    a_declined_payment_frees_the_car_and_leaves_nothing_paid,
    a_payment_takes_the_amount_at_the_time_of_reserving,
    two_hundred_concurrent_reservations_of_one_car_give_exactly_one,
    many_customers_reserve_their_own_cars_concurrently,
    a_reservation_has_one_event_and_one_message_per_transition,
);

fn a_reservation_is_confirmed_paid_messaged_and_shown(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register(&json!({"carName": "Ioniq", "carType": "EV", "amount": 70_000}));
    platform.wait_for_view(
        &car,
        &json!({"carId": car.id, "carName": "Ioniq", "carType": "EV", "amount": 70_000, "carStatus": "available"}),
    );

    let response = platform.try_reserve(&car).is(201);
    let reservation = Reservation::from_response(&response);
    assert!(
        response.header("location").ends_with(&reservation.path),
        "{response}"
    );
    assert_eq!(response.json()["carId"], car.id, "{response}");

    let reserved = platform.wait_for_status(&reservation, "reserved");
    let payment = platform.wait_for_payment(&reservation, "paid");
    assert_eq!(reserved["payId"], payment["payId"]);
    assert_eq!(payment["carId"], car.id);
    assert_eq!(payment["amount"], 70_000);
    platform.wait_for_car_status(&car, "reserved");
    platform.wait_for_messages(&reservation, &[confirmation_text(&car)]);
    let row = platform.wait_for_view(
        &car,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    assert_eq!(row["rsvId"], reservation.id);
    assert_eq!(row["payId"], payment["payId"]);
}

fn a_reservation_needs_no_status_in_its_request(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("no status");
    let response = platform
        .post("/reservations")
        .json(&json!({"carId": car.id}))
        .send()
        .is(201);
    let reservation = Reservation::from_response(&response);
    platform.wait_for_status(&reservation, "reserved");
}

fn a_car_is_reserved_only_once(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("wanted");
    let first = platform.reserve(&car);

    // Refused at once, when the first reservation may not be confirmed yet, and refused again afterwards.
    platform.try_reserve(&car).problem(409, "car-not-available");
    platform.wait_for_status(&first, "reserved");
    platform.try_reserve(&car).problem(409, "car-not-available");

    assert_eq!(platform.get_json(&first.path)["status"], "reserved");
    platform.wait_for_car_status(&car, "reserved");
}

fn an_unavailable_car_leaves_a_rejected_reservation_with_its_reason(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("taken");
    let first = platform.reserve_and_confirm(&car);
    platform.try_reserve(&car).problem(409, "car-not-available");

    let reservations = platform.list("/reservations", |item| item["carId"] == car.id);
    let refused: Vec<_> = reservations
        .iter()
        .filter(|item| item["rsvId"] != first.id)
        .collect();
    assert_eq!(refused.len(), 1, "{reservations:#?}");
    assert_eq!(refused[0]["status"], "rejected");
    assert!(
        !refused[0]["reason"].as_str().unwrap_or_default().is_empty(),
        "{refused:#?}"
    );
    let refused = Reservation::with_id(refused[0]["rsvId"].as_u64().expect("an id"));
    platform.wait_for_messages(&refused, &[rejection_text(&car)]);
    assert!(platform.payments_of(&refused).is_empty());

    // The view joins the latest reservation that was not rejected.
    platform.drain_events();
    let row = platform.wait_for_view(&car, &json!({"rsvStatus": "reserved"}));
    assert_eq!(row["rsvId"], first.id);
}

fn an_unknown_car_is_not_found_and_no_reservation_stays_pending(mode: Mode) {
    let platform = Platform::shared(mode);
    let unknown = 987_654_321;
    platform
        .post("/reservations")
        .json(&json!({"carId": unknown}))
        .send()
        .problem(404, "not-found");
    let left = platform.list("/reservations", |item| {
        item["carId"] == unknown && item["status"] != "rejected"
    });
    assert!(left.is_empty(), "{left:#?}");
}

fn a_declined_payment_frees_the_car_and_leaves_nothing_paid(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register(&json!({"carName": "too dear", "amount": PAYMENT_LIMIT + 1}));
    platform.try_reserve(&car).problem(402, "payment-declined");

    let reservations = platform.list("/reservations", |item| item["carId"] == car.id);
    assert_eq!(reservations.len(), 1, "{reservations:#?}");
    assert_eq!(reservations[0]["status"], "rejected");
    assert!(
        !reservations[0]["reason"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
    );
    let refused = Reservation::with_id(reservations[0]["rsvId"].as_u64().expect("an id"));
    platform.wait_for_messages(&refused, &[rejection_text(&car)]);
    let paid: Vec<_> = platform
        .payments_of(&refused)
        .into_iter()
        .filter(|payment| payment["status"] == "paid")
        .collect();
    assert!(paid.is_empty(), "{paid:#?}");

    // The hold is released: the next customer gets the car once its amount is lower.
    assert_eq!(platform.get_json(&car.path)["status"], "available");
    platform
        .patch(&car.path)
        .json(&json!({"amount": PAYMENT_LIMIT}))
        .send()
        .is(200);
    let second = eventually(
        || platform.try_reserve(&car).status,
        |status| *status != 409,
    );
    assert_eq!(second, 201);
}

fn a_payment_takes_the_amount_at_the_time_of_reserving(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register(&json!({"carName": "sale", "amount": 30_000}));
    let reservation = platform.reserve_and_confirm(&car);
    platform
        .patch(&car.path)
        .json(&json!({"amount": 90_000}))
        .send()
        .is(200);
    platform.wait_for_view(&car, &json!({"amount": 90_000, "rsvStatus": "reserved"}));
    assert_eq!(
        platform.wait_for_payment(&reservation, "paid")["amount"],
        30_000
    );
}

fn two_hundred_concurrent_reservations_of_one_car_give_exactly_one(mode: Mode) {
    // On the shared platform, this load would make other tests fail.
    let platform = Setup::new(mode).start();
    let car = platform.register_car("popular car");
    let responses = platform.concurrently(200, |_| platform.try_reserve(&car));

    let accepted: Vec<_> = responses
        .iter()
        .filter(|response| response.status == 201)
        .collect();
    assert_eq!(accepted.len(), 1, "{} accepted", accepted.len());
    // A machine that is too slow for two hundred requests at once may refuse some of them.
    let unexpected = responses
        .iter()
        .find(|response| !matches!(response.status, 201 | 409 | 503 | 504));
    assert!(
        unexpected.is_none(),
        "unexpected response: {}",
        unexpected.unwrap_or(&responses[0])
    );
    let winner = Reservation::from_response(accepted[0]);
    platform.wait_for_status(&winner, "reserved");
    let expected = json!({"rsvId": winner.id, "rsvStatus": "reserved", "payStatus": "paid"});
    platform.wait_for_view(&car, &expected);
    eventually(
        || {
            platform.list("/reservations", |item| {
                item["carId"] == car.id && item["rsvId"] != winner.id
            })
        },
        |others| others.iter().all(|item| item["status"] == "rejected"),
    );
    let paid =
        |payment: &serde_json::Value| payment["carId"] == car.id && payment["status"] == "paid";
    assert_eq!(platform.list("/payments", paid).len(), 1);
}

fn many_customers_reserve_their_own_cars_concurrently(mode: Mode) {
    let platform = Platform::shared(mode);
    let pairs = platform.concurrently(24, |index| {
        let car = platform.register_car(&format!("car of customer {index}"));
        (platform.reserve(&car), car)
    });
    let mut ids: Vec<_> = pairs
        .iter()
        .map(|(reservation, _)| reservation.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 24, "every reservation has an id of its own");
    for (reservation, car) in &pairs {
        platform.wait_for_status(reservation, "reserved");
        platform.wait_for_view(
            car,
            &json!({"rsvId": reservation.id, "rsvStatus": "reserved", "payStatus": "paid"}),
        );
        platform.wait_for_messages(reservation, &[confirmation_text(car)]);
    }
}

fn a_reservation_has_one_event_and_one_message_per_transition(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("one message");
    let reservation = platform.reserve_and_confirm(&car);
    platform.wait_for_messages(&reservation, &[confirmation_text(&car)]);
    platform.drain_events();

    assert_eq!(
        platform.messages_of(&reservation),
        [confirmation_text(&car)]
    );
    let mut ids: Vec<_> = platform
        .events_where(|event| event["data"]["carId"] == car.id)
        .iter()
        .map(|event| {
            (
                event["type"].clone(),
                event["subject"].clone(),
                event["sequence"].clone(),
            )
        })
        .map(|key| format!("{key:?}"))
        .collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "an event is announced once: {ids:#?}");
}

//! Steps of a scenario: actions of customers, and waits for their effects in each context.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::client::Response;
use crate::eventually::eventually;
use crate::platform::Platform;

/// A registered car.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Car {
    pub id: u64,
    pub path: String,
}

/// An accepted or a rejected reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    pub id: u64,
    pub path: String,
}

impl Platform {
    /// Registers a car of this name, with an amount that every gateway accepts.
    #[track_caller]
    pub fn register_car(&self, name: &str) -> Car {
        self.register(&json!({"carName": name, "carType": "sedan", "amount": 50_000}))
    }

    /// Registers a car with exactly these fields.
    #[track_caller]
    pub fn register(&self, car: &Value) -> Car {
        let body = self.post("/cars").json(car).send().is(201).json();
        let id = number_in(&body, "carId");
        Car {
            id,
            path: format!("/cars/{id}"),
        }
    }

    /// Requests a reservation, whatever the response.
    #[track_caller]
    pub fn try_reserve(&self, car: &Car) -> Response {
        self.post("/reservations")
            .json(&json!({"carId": car.id, "status": "reqReserve"}))
            .send()
    }

    /// Requests a reservation, which must be accepted.
    #[track_caller]
    pub fn reserve(&self, car: &Car) -> Reservation {
        Reservation::from_response(&self.try_reserve(car).is(201))
    }

    /// Requests a reservation and waits until it is confirmed.
    #[track_caller]
    pub fn reserve_and_confirm(&self, car: &Car) -> Reservation {
        let reservation = self.reserve(car);
        self.wait_for_status(&reservation, "reserved");
        self.wait_for_car_status(car, "reserved");
        reservation
    }

    /// Requests a cancellation, which must be accepted.
    #[track_caller]
    pub fn cancel(&self, reservation: &Reservation) -> Response {
        self.patch(&reservation.path)
            .json(&json!({"status": "reqCancel"}))
            .send()
            .is(200)
    }

    /// Requests a cancellation and waits until it is complete.
    #[track_caller]
    pub fn cancel_and_wait(&self, reservation: &Reservation, car: &Car) {
        self.cancel(reservation);
        self.wait_for_status(reservation, "cancelled");
        self.wait_for_car_status(car, "available");
    }

    /// The JSON at a path.
    #[track_caller]
    pub fn get_json(&self, path: &str) -> Value {
        self.get(path).send().is(200).json()
    }

    /// Waits until the reservation has this status, and returns it.
    #[track_caller]
    pub fn wait_for_status(&self, reservation: &Reservation, status: &str) -> Value {
        eventually(
            || self.get_json(&reservation.path),
            |seen| seen["status"] == status,
        )
    }

    /// Waits until the car has this status, and returns it.
    #[track_caller]
    pub fn wait_for_car_status(&self, car: &Car, status: &str) -> Value {
        eventually(|| self.get_json(&car.path), |seen| seen["status"] == status)
    }

    /// Waits until the car's row in the view has all these values, and returns it.
    #[track_caller]
    pub fn wait_for_view(&self, car: &Car, expected: &Value) -> Value {
        let path = format!("/carviews/{}", car.id);
        eventually(
            || self.get(&path).send(),
            |response| response.status == 200 && contains(&response.json(), expected),
        )
        .json()
    }

    /// All payments of a reservation; there must be at most one.
    #[track_caller]
    pub fn payments_of(&self, reservation: &Reservation) -> Vec<Value> {
        self.list("/payments", |payment| payment["rsvId"] == reservation.id)
    }

    /// Waits until the payment of a confirmed reservation has this status, and returns it.
    #[track_caller]
    pub fn wait_for_payment(&self, reservation: &Reservation, status: &str) -> Value {
        let paid = eventually(
            || self.get_json(&reservation.path),
            |seen| seen["payId"].is_u64(),
        );
        let path = format!("/payments/{}", paid["payId"]);
        let payment = eventually(|| self.get_json(&path), |seen| seen["status"] == status);
        assert_eq!(payment["rsvId"], reservation.id, "{payment:#}");
        payment
    }

    /// All messages about a reservation, oldest first.
    #[track_caller]
    pub fn messages_of(&self, reservation: &Reservation) -> Vec<String> {
        self.list("/messages", |message| message["rsvId"] == reservation.id)
            .iter()
            .map(content)
            .collect()
    }

    /// Waits until the latest messages about a reservation have these contents, oldest first.
    #[track_caller]
    pub fn wait_for_messages(&self, reservation: &Reservation, contents: &[String]) {
        // The expected messages are among the newest, so reading stops when there are enough.
        let newest = || {
            let messages = self.pages("/messages", "&sort=msgId,desc").flatten();
            let about = messages.filter(|message| message["rsvId"] == reservation.id);
            let mut newest: Vec<_> = about
                .take(contents.len())
                .map(|message| content(&message))
                .collect();
            newest.reverse();
            newest
        };
        eventually(newest, |seen| seen == contents);
    }

    /// The items of a list that `wanted` selects, from all pages.
    #[track_caller]
    pub fn list(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.pages(path, "").flatten().filter(wanted).collect()
    }

    /// The pages of a list, read one after the other on demand.
    fn pages(&self, path: &str, query: &str) -> impl Iterator<Item = Vec<Value>> {
        let plural = path.trim_start_matches('/').to_owned();
        let mut next = Some(format!("{path}?size=100{query}"));
        std::iter::from_fn(move || {
            let page = self.get_json(&next.take()?);
            next = page["_links"]["next"]["href"].as_str().map(str::to_owned);
            let items = page["_embedded"][&plural].as_array().cloned();
            Some(items.unwrap_or_default())
        })
    }

    /// Runs a whole scenario on a car of its own, to its end in every context. Events that were published before it
    /// have been handled by then, so a test can assert afterwards that nothing more happened.
    #[track_caller]
    pub fn drain_events(&self) {
        let car = self.register_car("settling");
        let reservation = self.reserve_and_confirm(&car);
        self.cancel_and_wait(&reservation, &car);
        self.wait_for_messages(
            &reservation,
            &[confirmation_text(&car), cancellation_text(&car)],
        );
        self.wait_for_view(
            &car,
            &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
        );
    }

    /// Runs `action` on this many threads at the same instant, and returns all results.
    pub fn concurrently<T: Send>(
        &self,
        times: usize,
        action: impl Fn(usize) -> T + Sync,
    ) -> Vec<T> {
        let start = Barrier::new(times);
        let (start, action) = (&start, &action);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..times)
                .map(|index| {
                    scope.spawn(move || {
                        start.wait();
                        action(index)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }
}

// === impl Reservation ===

impl Reservation {
    /// The reservation with this id.
    pub fn with_id(id: u64) -> Self {
        Self {
            id,
            path: format!("/reservations/{id}"),
        }
    }

    /// The reservation that a response is about.
    #[track_caller]
    pub fn from_response(response: &Response) -> Self {
        Self::with_id(number_in(&response.json(), "rsvId"))
    }
}

/// The text of the message after a confirmation.
pub fn confirmation_text(car: &Car) -> String {
    format!("예약이 완료 되었습니다. 차량번호 : {}", car.id)
}

/// The text of the message after a cancellation.
pub fn cancellation_text(car: &Car) -> String {
    format!("예약이 취소 되었습니다. 차량번호 : {}", car.id)
}

/// The text of the message after a rejection.
pub fn rejection_text(car: &Car) -> String {
    format!("예약이 거절 되었습니다. 차량번호 : {}", car.id)
}

fn content(message: &Value) -> String {
    message["content"].as_str().unwrap_or_default().to_owned()
}

/// Whether `whole` has every field of `part`, with the same value.
fn contains(whole: &Value, part: &Value) -> bool {
    part.as_object().is_some_and(|fields| {
        fields
            .iter()
            .all(|(name, value)| whole.get(name) == Some(value))
    })
}

#[track_caller]
fn number_in(body: &Value, field: &str) -> u64 {
    body[field]
        .as_u64()
        .unwrap_or_else(|| panic!("the response has no number `{field}`: {body:#}"))
}

//! The oracle records every committed write, every published event and every response, and reports the first
//! violation of an invariant that must hold at any moment.

use crate::context::ContextId;
use car::domain::Car;
use events::{CarId, CloudEvent, ReservationId};
use kit::Persistent;
use payment::domain::Payment;
use reservation::domain::{Reservation, Stage};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// The description of a violated invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// A response that a customer received.
#[derive(Clone, Debug)]
pub struct CustomerResponse {
    /// The id of the request.
    pub request_id: String,
    /// The `Idempotency-Key` of the request.
    pub key: Option<String>,
    /// The action that was requested.
    pub request: CustomerRequest,
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// An action that a customer requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerRequest {
    /// Registers a car.
    Register,
    /// Changes the price of a car.
    Modify,
    /// Deletes a car.
    Delete(CarId),
    /// Reserves a car.
    Reserve,
    /// Reads a list.
    List,
    /// Cancels a reservation.
    Cancel(ReservationId),
}

/// Everything that was recorded.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// The current state of the cars.
    pub cars: BTreeMap<CarId, Car>,
    /// The current state of the reservations.
    pub reservations: BTreeMap<ReservationId, Reservation>,
    /// The current state of the payments.
    pub payments: BTreeMap<ReservationId, Payment>,
    /// The number of writes of each message.
    pub messages: BTreeMap<String, u32>,
    /// The ids of the committed events.
    pub committed: BTreeSet<String>,
    /// The published events, by id.
    pub published: BTreeMap<String, CloudEvent>,
    /// The `Idempotency-Key` of each request that has one.
    pub keys: BTreeMap<String, String>,
    /// The responses that customers received.
    pub responses: Vec<CustomerResponse>,
    /// The first violation.
    pub violation: Option<Violation>,
}

/// The stored form of an aggregate, as far as the oracle reads it.
#[derive(Deserialize)]
struct Stored<R> {
    #[serde(default = "Vec::new")]
    pending: Vec<Pending>,
    state: R,
}

#[derive(Deserialize)]
struct Pending {
    event: Id,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

impl Oracle {
    /// Records that `key` holds `value` now.
    pub fn record_write(&mut self, context: ContextId, key: &str, value: &[u8]) {
        let seen = match (context, key.split_once('/')) {
            (ContextId::Car, Some(("car", _))) => self.record_car(value),
            (ContextId::Reservation, Some(("reservation", _))) => self.record_reservation(value),
            (ContextId::Payment, Some(("payment", _))) => self.record_payment(value),
            (ContextId::Message, Some(("message", _))) => {
                *self.messages.entry(key.to_owned()).or_default() += 1;
                Ok(())
            }
            _ => Ok(()),
        };
        self.report(seen);
    }

    /// Records that an event was appended to the log.
    pub fn record_event(&mut self, event: &CloudEvent) {
        let id = &event.id;
        let seen = match self.published.get(id) {
            Some(first) if first != event => Err(format!("{id} was published with two contents")),
            _ if !self.committed.contains(id) => Err(format!(
                "{id} was published, but the change that it announces was not committed"
            )),
            _ => Ok(()),
        };
        self.published.insert(id.clone(), event.clone());
        self.report(seen);
    }

    /// Forgets what a server has lost since `earlier`; what customers were told stays.
    pub fn restore(&mut self, earlier: &Self) {
        *self = Self {
            responses: std::mem::take(&mut self.responses),
            keys: std::mem::take(&mut self.keys),
            violation: self.violation.take(),
            ..earlier.clone()
        };
    }

    /// The reservation that holds `car`; `id` if the car is free.
    pub fn holder(&self, car: CarId, id: ReservationId) -> ReservationId {
        let bookings = self.cars.get(&car).map_or(&[][..], Car::bookings);
        bookings.first().map_or(id, |booking| booking.reservation)
    }

    /// Whether a reservation was rejected.
    pub fn is_rejected(&self, id: ReservationId) -> bool {
        let stage = self.reservations.get(&id).map(|found| found.stage);
        matches!(stage, Some(Stage::Rejected { .. }))
    }

    fn record_car(&mut self, value: &[u8]) -> Result<(), String> {
        let car: Car = self.read(value)?;
        let bookings = car.bookings();
        let id = car.id();
        for (index, one) in bookings.iter().enumerate() {
            for other in &bookings[index + 1..] {
                if one.period.overlaps(&other.period) {
                    return Err(format!("car {id} has two bookings at a time: {bookings:?}"));
                }
            }
        }
        self.cars.insert(id, car);
        Ok(())
    }

    fn record_reservation(&mut self, value: &[u8]) -> Result<(), String> {
        let reservation: Reservation = self.read(value)?;
        let id = reservation.id;
        let before = self.reservations.insert(id, reservation.clone());
        let before = before.map(|before| before.stage);
        follows(before, reservation.stage)
            .map_err(|from| format!("{id} went from {from} to {}", reservation.stage.as_str()))?;
        if let Stage::Reserved { payment } = reservation.stage {
            let is_paid = matches!(self.payments.get(&id),
                Some(Payment::Paid(receipt)) if receipt.id == payment);
            if !is_paid {
                return Err(format!("reservation {id} is reserved but not paid"));
            }
        }
        let keeps_the_car = |other: &&Reservation| {
            other.car == reservation.car
                && matches!(
                    other.stage,
                    Stage::Reserved { .. } | Stage::CancelRequested { .. }
                )
        };
        let keepers = self.reservations.values().filter(keeps_the_car).count();
        match keepers {
            0 | 1 => Ok(()),
            _ => Err(format!(
                "car {} is reserved for {keepers} customers at a time",
                reservation.car
            )),
        }
    }

    fn record_payment(&mut self, value: &[u8]) -> Result<(), String> {
        let payment: Payment = self.read(value)?;
        self.payments.insert(payment.reservation(), payment);
        Ok(())
    }

    fn read<A: Persistent<Record: DeserializeOwned>>(&mut self, value: &[u8]) -> Result<A, String> {
        let stored: Stored<A::Record> =
            serde_json::from_slice(value).map_err(|error| format!("unreadable: {error}"))?;
        let ids = stored.pending.into_iter().map(|pending| pending.event.id);
        self.committed.extend(ids);
        Ok(A::from_record(stored.state))
    }

    fn report(&mut self, seen: Result<(), String>) {
        if let (Err(what), None) = (seen, &self.violation) {
            self.violation = Some(Violation(what));
        }
    }
}

/// Whether a reservation may enter a stage from its previous one; the error is the previous stage.
fn follows(before: Option<Stage>, stage: Stage) -> Result<(), &'static str> {
    let from = before.as_ref().map_or("nothing", Stage::as_str);
    let ways = match from {
        "nothing" => &["reqReserve"][..],
        "reqReserve" => &["reserved", "rejected"],
        "reserved" => &["reqCancel"],
        "reqCancel" => &["cancelled"],
        _ => &[],
    };
    match ways.contains(&stage.as_str()) {
        true => Ok(()),
        false => Err(from),
    }
}

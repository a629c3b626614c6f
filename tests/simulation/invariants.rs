//! The invariants of an idle platform. The HTTP responses of the contexts, the writes that the oracle recorded, the
//! accounts of the gateway and the responses to customers must agree.

mod lists;

pub use lists::read_lists;

use crate::{
    fakes::Contexts,
    oracle::{CustomerRequest, CustomerResponse, Oracle, Violation},
    world::World,
};
use car::domain::{BookingState, Car};
use events::{CarId, Event, ReservationId};
use payment::domain::Payment;
use reservation::domain::{Reservation, Stage};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use lists::{lists_match_the_state, the_view_matches_the_contexts};

type CheckResult = Result<(), Violation>;

/// Checks every invariant.
///
/// # Errors
///
/// The first violation.
pub fn check(world: &World, contexts: &Contexts) -> CheckResult {
    let oracle = world.oracle.borrow();
    every_reservation_is_final(&oracle)?;
    reservations_match_their_payments(&oracle)?;
    bookings_match_the_reservations(&oracle)?;
    every_change_is_published_once(&oracle)?;
    every_event_is_handled(world)?;
    each_transition_has_one_message(&oracle)?;
    if !world.has_lost_history.get() {
        responses_match_the_final_state(&oracle)?;
        one_key_is_one_reservation(&oracle)?;
    }
    if world.faults.has_gateway {
        gateway_charges_match_the_payments(&oracle, contexts)?;
    }
    if world.faults.checks_lists {
        lists_match_the_state(&oracle, contexts)?;
    }
    if world.faults.checks_view {
        the_view_matches_the_contexts(&oracle, contexts)?;
    }
    Ok(())
}

fn every_reservation_is_final(oracle: &Oracle) -> CheckResult {
    for reservation in oracle.reservations.values() {
        let id = reservation.id;
        match reservation.stage {
            Stage::Reserved { .. } | Stage::Cancelled { .. } | Stage::Rejected { .. } => {}
            Stage::Requested | Stage::CancelRequested { .. } => {
                return violation(format!(
                    "reservation {id} stays {}",
                    reservation.stage.as_str()
                ));
            }
        }
    }
    Ok(())
}

fn reservations_match_their_payments(oracle: &Oracle) -> CheckResult {
    for reservation in oracle.reservations.values() {
        let id = reservation.id;
        let payment = oracle.payments.get(&id);
        let stands = match (reservation.stage, payment) {
            (Stage::Reserved { payment }, Some(Payment::Paid(receipt))) => payment == receipt.id,
            (Stage::Cancelled { payment }, Some(Payment::Cancelled(receipt))) => {
                payment == receipt.id
            }
            (Stage::Rejected { .. }, Some(payment)) => {
                !matches!(payment, Payment::Paid(_) | Payment::Refunding(_))
            }
            (Stage::Rejected { .. }, None) => true,
            _ => false,
        };
        if !stands {
            let stage = reservation.stage.as_str();
            return violation(format!(
                "reservation {id} is {stage}, its payment {payment:?}"
            ));
        }
    }
    let orphan = |id: &&ReservationId| {
        !oracle.reservations.contains_key(*id)
            && !matches!(oracle.payments[*id], Payment::Voided(_))
    };
    match oracle.payments.keys().find(orphan) {
        Some(id) => violation(format!("reservation {id} was paid but never made")),
        None => Ok(()),
    }
}

fn bookings_match_the_reservations(oracle: &Oracle) -> CheckResult {
    let stands = |reservation: &&Reservation| matches!(reservation.stage, Stage::Reserved { .. });
    let reserved = oracle.reservations.values().filter(stands);
    let reserved: BTreeSet<_> = reserved.map(|one| (one.car, one.id, true)).collect();
    let bookings = oracle.cars.values().flat_map(|car| {
        let is_firm = |state| state == BookingState::Confirmed;
        let bookings = car.bookings().iter();
        bookings.map(move |booking| (car.id(), booking.reservation, is_firm(booking.state)))
    });
    equal("bookings", &bookings.collect::<BTreeSet<_>>(), &reserved)
}

fn every_change_is_published_once(oracle: &Oracle) -> CheckResult {
    let published: BTreeSet<String> = oracle.published.keys().cloned().collect();
    equal("events", &published, &oracle.committed)?;
    let mut transitions = BTreeSet::new();
    for event in oracle.published.values() {
        let transition = match &event.event {
            Event::CarModified(_) => continue,
            Event::CarReserved(booked) => (2, booked.rsv_id.0),
            Event::CarCancelled(booked) => (3, booked.rsv_id.0),
            _ => (1, 0),
        };
        let kind = std::mem::discriminant(&event.event);
        let kind = format!("{kind:?} {}", event.subject);
        if !transitions.insert((kind, transition)) {
            return violation(format!(
                "one transition was announced twice, lastly by {}",
                event.id
            ));
        }
    }
    Ok(())
}

fn every_event_is_handled(world: &World) -> CheckResult {
    match world.log.is_drained() {
        true => Ok(()),
        false => violation("an event was not handled".into()),
    }
}

fn each_transition_has_one_message(oracle: &Oracle) -> CheckResult {
    let mut expected = BTreeMap::new();
    for reservation in oracle.reservations.values() {
        for step in &reservation.steps {
            let occasion = match step.status.as_str() {
                "reserved" => "confirmed",
                "cancelled" => "cancelled",
                "rejected" => "rejected",
                _ => continue,
            };
            expected.insert(format!("message/{}/{occasion}", reservation.id), 1);
        }
    }
    equal("messages", &oracle.messages, &expected)
}

fn responses_match_the_final_state(oracle: &Oracle) -> CheckResult {
    for response in &oracle.responses {
        let is_true = match (response.request, response.status) {
            (CustomerRequest::Register, 201) => body(response)["carId"]
                .as_u64()
                .is_some_and(|id| oracle.cars.contains_key(&CarId(id))),
            (CustomerRequest::Delete(id), 204) => {
                matches!(oracle.cars.get(&id), Some(Car::Deleted { .. }))
            }
            (CustomerRequest::Cancel(id), 200) => {
                matches!(stage(oracle, id), Some(Stage::Cancelled { .. }))
            }
            (CustomerRequest::Reserve, status) => match body(response)["rsvId"].as_u64() {
                Some(id) => {
                    let stage = stage(oracle, ReservationId(id));
                    let is_rejected = matches!(stage, Some(Stage::Rejected { .. }));
                    stage.is_some() && is_rejected == (status != 201)
                }
                None => status != 201,
            },
            _ => true,
        };
        if !is_true {
            return violation(format!("that was not true in the end: {response:?}"));
        }
    }
    Ok(())
}

/// Requests with one key count as one request; a request without a key counts as its own.
fn one_key_is_one_reservation(oracle: &Oracle) -> CheckResult {
    let mut made: BTreeMap<&str, Vec<ReservationId>> = BTreeMap::new();
    for event in oracle.published.values() {
        if let Event::ReservationCreated(reservation) = &event.event {
            let request = event.correlationid.as_str();
            let key = oracle.keys.get(request).map_or(request, String::as_str);
            made.entry(key).or_default().push(reservation.rsv_id);
        }
    }
    let mut responses: BTreeMap<&str, &CustomerResponse> = BTreeMap::new();
    for response in oracle
        .responses
        .iter()
        .filter(|response| is_final(response))
    {
        let key = response.key.as_deref().unwrap_or(&response.request_id);
        let first = responses.entry(key).or_insert(response);
        if (first.status, &first.body) != (response.status, &response.body) {
            return violation(format!(
                "two responses to one request: {first:?} and {response:?}"
            ));
        }
    }
    for (key, ids) in made {
        let stands =
            |id: &&ReservationId| !matches!(stage(oracle, **id), Some(Stage::Rejected { .. }));
        let standing: Vec<_> = ids.iter().filter(stands).collect();
        if standing.len() > 1 {
            return violation(format!("{key} made the reservations {standing:?}"));
        }
        if let (Some(response), [_]) = (
            responses.get(key).filter(|response| response.status != 201),
            &standing[..],
        ) {
            return violation(format!(
                "{key} made reservation {standing:?}, but {response:?}"
            ));
        }
    }
    Ok(())
}

fn gateway_charges_match_the_payments(oracle: &Oracle, contexts: &Contexts) -> CheckResult {
    let accounts = contexts.accounts();
    let paid = |payment: &&Payment| matches!(payment, Payment::Paid(_));
    let paid = oracle.payments.values().filter(paid);
    let paid: BTreeSet<_> = paid.map(Payment::reservation).collect();
    let held = accounts.iter().filter(|(_, accounts)| accounts.holds());
    let held: BTreeSet<_> = held.map(|(id, _)| *id).collect();
    equal("charges at the gateway", &held, &paid)?;
    match accounts.iter().find(|(_, accounts)| accounts.charged > 1) {
        Some(twice) => violation(format!("the gateway took money more than once: {twice:?}")),
        None => Ok(()),
    }
}

/// Whether a response reports the result of a reservation.
fn is_final(response: &CustomerResponse) -> bool {
    response.request == CustomerRequest::Reserve
        && (response.status == 201 || (response.status < 500 && !body(response)["rsvId"].is_null()))
}

fn body(response: &CustomerResponse) -> Value {
    serde_json::from_str(&response.body).unwrap_or_default()
}

fn stage(oracle: &Oracle, id: ReservationId) -> Option<Stage> {
    oracle.reservations.get(&id).map(|found| found.stage)
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> CheckResult {
    match found == expected {
        true => Ok(()),
        false => violation(format!("{what} are {found:?}, but should be {expected:?}")),
    }
}

fn violation(what: String) -> CheckResult {
    Err(Violation(what))
}

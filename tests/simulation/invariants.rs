//! The invariants of an idle platform. The HTTP responses of the contexts, the writes that the oracle recorded, the
//! accounts of the gateway and the responses to customers must agree.

use crate::{
    context::ContextId,
    fakes::{Contexts, poll_ready},
    oracle::{CustomerRequest, CustomerResponse, Oracle, Violation},
    request::request,
    world::World,
};
use car::domain::{BookingState, Car};
use events::{CarId, Event, ReservationId};
use http::Method;
use payment::domain::Payment;
use reservation::domain::{Reservation, Stage};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type CheckResult = Result<(), Violation>;

/// Reads every list, as clients do.
///
/// # Errors
///
/// A list that is not returned.
pub fn read_lists(contexts: &Contexts) -> CheckResult {
    for context in ContextId::SWEPT {
        read_list(contexts, context)?;
    }
    Ok(())
}

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
    responses_match_the_final_state(&oracle)?;
    one_key_is_one_reservation(&oracle)?;
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
                "two answers to one request: {first:?} and {response:?}"
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

fn lists_match_the_state(oracle: &Oracle, contexts: &Contexts) -> CheckResult {
    let cars = oracle.cars.values().filter_map(|car| {
        let details = car.details().ok()?;
        let fields = json!({ "carId": car.id(), "carName": details.name, "carType": details.kind,
            "amount": details.amount, "status": car.status().as_str() });
        Some((car.id().0, fields))
    });
    list_matches(contexts, ContextId::Car, "carId", cars.collect())?;
    let reservations = oracle.reservations.values().map(|one| {
        let mut fields = json!({ "rsvId": one.id, "carId": one.car, "payId": one.stage.payment(),
            "status": one.stage.as_str() });
        if let Some(reason) = one.stage.reason() {
            fields["reason"] = json!(reason.as_str());
        }
        (one.id.0, fields)
    });
    list_matches(
        contexts,
        ContextId::Reservation,
        "rsvId",
        reservations.collect(),
    )?;
    let payments = oracle.payments.values().filter_map(|payment| {
        let receipt = payment.receipt()?;
        let order = receipt.order;
        let fields = json!({ "payId": receipt.id, "rsvId": order.reservation, "carId": order.car,
            "amount": order.amount, "status": payment.status() });
        Some((receipt.id.0, fields))
    });
    list_matches(contexts, ContextId::Payment, "payId", payments.collect())?;
    let (messages, total) = read_list(contexts, ContextId::Message)?;
    let counts = (messages.len(), total);
    let sent = oracle.messages.len();
    equal("messages in the list", &counts, &(sent, sent as u64))
}

fn the_view_matches_the_contexts(oracle: &Oracle, contexts: &Contexts) -> CheckResult {
    let rows = oracle.cars.values().filter_map(|car| {
        let details = car.details().ok()?;
        let of_car = |one: &&Reservation| {
            one.car == car.id() && !matches!(one.stage, Stage::Rejected { .. })
        };
        let latest = oracle.reservations.values().rfind(of_car);
        let payment = latest.and_then(|latest| oracle.payments.get(&latest.id));
        let receipt = payment.and_then(Payment::receipt);
        let fields = json!({ "carId": car.id(), "carName": details.name, "carType": details.kind,
            "amount": details.amount, "carStatus": car.status().as_str(),
            "rsvId": latest.map(|one| one.id), "rsvStatus": latest.map(|one| one.stage.as_str()),
            "payId": receipt.map(|receipt| receipt.id),
            "payStatus": receipt.and(payment).map(Payment::status) });
        Some((car.id().0, fields))
    });
    list_matches(contexts, ContextId::View, "carId", rows.collect())
}

/// Checks that a list contains exactly these rows and reports their number.
fn list_matches(
    contexts: &Contexts,
    context: ContextId,
    id: &str,
    expected: BTreeMap<u64, Value>,
) -> CheckResult {
    let (rows, total) = read_list(contexts, context)?;
    let rows: BTreeMap<u64, Value> = rows
        .into_iter()
        .map(|row| (row[id].as_u64().unwrap_or_default(), row))
        .collect();
    equal(&format!("rows of {context:?}"), &rows, &expected)?;
    let count = expected.len() as u64;
    equal(&format!("totalElements of {context:?}"), &total, &count)
}

/// The rows of a list without their links, and the reported total.
fn read_list(contexts: &Contexts, context: ContextId) -> Result<(Vec<Value>, u64), Violation> {
    let plural = context.plural();
    let request = request(Method::GET, &format!("/{plural}?size=1000"), &[], "");
    let response = poll_ready(contexts.handle(context, request));
    let mut body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let Value::Array(mut rows) = body["_embedded"][plural].take() else {
        return Err(Violation(format!(
            "/{plural} is answered with {}",
            response.status()
        )));
    };
    for row in &mut rows {
        row.as_object_mut().map(|fields| fields.remove("_links"));
    }
    Ok((
        rows,
        body["page"]["totalElements"].as_u64().unwrap_or_default(),
    ))
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

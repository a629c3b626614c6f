//! The lists of the contexts and the view must show exactly the state that the oracle recorded.

use super::{CheckResult, equal};
use crate::{
    context::ContextId,
    fakes::{Contexts, poll_ready},
    oracle::{Oracle, Violation},
    request::request,
};
use http::Method;
use payment::domain::Payment;
use reservation::domain::{Reservation, Stage};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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

/// The lists of the contexts show exactly their aggregates.
pub fn lists_match_the_state(oracle: &Oracle, contexts: &Contexts) -> CheckResult {
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
        let order = &receipt.order;
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

/// The view shows each car with its latest reservation and payment.
pub fn the_view_matches_the_contexts(oracle: &Oracle, contexts: &Contexts) -> CheckResult {
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

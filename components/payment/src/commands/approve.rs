//! Approve: the money of a reservation is taken, once.

use crate::{
    domain::{GatewayError, Order, Payment, Refusal},
    gateway_intents::GatewayIntent,
    ports::{ApprovalOutcome, Gateway, PaymentPorts},
};
use kit::{ChangeError, Decision, Origin, Platform, Versioned, numbering};
use std::time::Duration;

/// The longest time from the storing of an intent to the request at the gateway. The sweep settles an intent that is
/// older than that and the timeout of a gateway call together, whatever deadline the host has.
const LATEST_REQUEST: Duration = Duration::from_secs(5);

/// Takes the money for an order. Idempotent: a second approval returns the first payment.
///
/// # Errors
///
/// [`Refusal::Cancelled`] and [`Refusal::Declined`]; [`Refusal::NotRequested`] when the gateway was not called;
/// [`Refusal::OutcomeUnknown`] and [`ChangeError`] when the gateway or the store failed. After the last two the
/// caller should cancel.
pub async fn approve<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    order: Order,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    if let Some(payment) = ports.payments().find(order.reservation).await? {
        return require_paid(payment);
    }
    if ports.gateway.is_remote() {
        return approve_remotely(ports, origin, order).await;
    }
    request(ports, &order).await?;
    record(ports, origin, order).await
}

/// Approves at a gateway whose calls can be cut off; [`super`] describes the order of the steps.
async fn approve_remotely<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    order: Order,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    let platform = &ports.platform;
    let begun = platform.now();
    let intent = GatewayIntent::approval(platform, order.reservation, ports.gateway.id());
    intent.save(platform, origin).await?;
    if let Some(payment) = ports.payments().find(order.reservation).await? {
        intent.delete(platform).await;
        return require_paid(payment);
    }
    let requested = match platform.now().distance(begun) > LATEST_REQUEST {
        true => Err(ChangeError::Refused(Refusal::NotRequested(too_late()))),
        false => request(ports, &order).await,
    };
    let outcome = match requested {
        Ok(()) => record(ports, origin, order).await,
        Err(refusal) => Err(refusal),
    };
    match &outcome {
        // Another attempt was recorded, and its money is at another gateway: the sweep returns that of this attempt.
        Ok(payment) if !payment.state.is_paid_at(ports.gateway.id().as_ref()) => {}
        Ok(_) | Err(ChangeError::Refused(Refusal::Declined(_) | Refusal::NotRequested(_))) => {
            intent.delete(platform).await;
        }
        Err(ChangeError::Refused(Refusal::Cancelled(id))) => {
            // The cancel arrived while the gateway took the money. The intent stays: should this refund fail,
            // the sweep repeats it.
            let _ = ports.gateway.refund(*id).await;
        }
        Err(_) => {}
    }
    outcome
}

fn too_late() -> GatewayError {
    GatewayError::new("the store was too slow to ask the payment gateway")
}

/// Requests the money from the gateway.
async fn request<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    order: &Order,
) -> Result<(), ChangeError<Refusal>> {
    let refusal = match ports.gateway.approve(order).await {
        ApprovalOutcome::Approved => return Ok(()),
        ApprovalOutcome::Declined => Refusal::Declined(order.clone()),
        ApprovalOutcome::NotRequested(error) => Refusal::NotRequested(error),
        ApprovalOutcome::Unknown(error) => Refusal::OutcomeUnknown(error),
    };
    Err(ChangeError::Refused(refusal))
}

/// Records under a new payment number that the money was taken.
async fn record<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    order: Order,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    let payments = ports.payments();
    payments.claim_absent(order.reservation).await?;
    let id = payments.allocate_number(order.reservation).await?;
    if let Some(customer) = &order.customer {
        payments.of_customer(customer).add(id.0).await?;
    }
    let gateway = ports.gateway.id();
    let recorded = payments
        .change(order.reservation, origin, |before| {
            if let Some(payment) = before {
                payment.ensure_paid()?;
                return Ok(Decision::Keep(()));
            }
            let (payment, event) = Payment::pay(id, order.clone(), gateway.clone());
            Ok(Decision::Commit(payment, vec![event], ()))
        })
        .await;
    let is_unused = match &recorded {
        Ok(payment) => payment
            .state
            .receipt()
            .is_none_or(|receipt| receipt.id != id),
        Err(ChangeError::Refused(_)) => true,
        // The commit may have succeeded. A list that reads the number finds out.
        Err(_) => false,
    };
    if is_unused {
        let _ = numbering::retire(&ports.platform, id.0).await;
    }
    recorded
}

fn require_paid(payment: Versioned<Payment>) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    payment.state.ensure_paid().map_err(ChangeError::Refused)?;
    Ok(payment)
}

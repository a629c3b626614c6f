//! Cancel: the money of a reservation is returned, and an approval that arrives later is refused.

use crate::{
    domain::Payment,
    gateway_intents::GatewayIntent,
    ports::{Gateway, PaymentPorts},
    refund::refund,
};
use events::ReservationId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Cancels the payment of a reservation, also one that is not recorded yet. Idempotent.
///
/// The returned payment can still be [`Payment::Refunding`] when the gateway does not respond: the refund cannot be
/// reversed, and the sweep completes it. So it does when another gateway took the money than the configured one. When
/// nothing is recorded, the gateway is not called: an approval that did call it has stored its intent, and the sweep
/// refunds that. In most of these cases the gateway has just failed to respond, so the caller should not wait for it a
/// second time.
///
/// # Errors
///
/// [`ChangeError`] when the store fails.
pub async fn cancel<P: Platform, G: Gateway, R>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    if !ports.gateway.is_remote() {
        let payment = cancel_locally(ports, origin, id).await?;
        if matches!(payment.state, Payment::Cancelled(_) | Payment::Voided(_)) {
            return Ok(payment);
        }
    }
    cancel_remotely(ports, origin, id).await
}

/// Decides and completes the refund in one change: a local gateway cannot fail. A payment whose money is at a remote
/// gateway stays as it is.
async fn cancel_locally<P: Platform, G: Gateway, R>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    let payments = ports.payments();
    payments.claim(id).await?;
    payments
        .change(id, origin, |before| {
            let receipt = before.and_then(Payment::receipt);
            let gateway = receipt.and_then(|receipt| receipt.gateway.as_ref());
            if gateway.is_some_and(|gateway| !gateway.is_built_in()) {
                return Ok(Decision::Keep(()));
            }
            let cancelled = Payment::cancel(before, id, None);
            let refunded = cancelled
                .as_ref()
                .or(before)
                .and_then(Payment::complete_refund);
            Ok(match (refunded, cancelled) {
                (Some((payment, event)), _) => Decision::Commit(payment, vec![event], ()),
                (None, Some(payment)) => Decision::Commit(payment, Vec::new(), ()),
                (None, None) => Decision::Keep(()),
            })
        })
        .await
}

/// Refunds at a gateway whose calls can be cut off; [`super`] describes the order of the steps.
async fn cancel_remotely<P: Platform, G: Gateway, R>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    let platform = &ports.platform;
    let intent = GatewayIntent::Refund(id);
    let payment = ports.payments().find(id).await?;
    if let Some(payment) = payment.filter(|found| matches!(found.state, Payment::Cancelled(_))) {
        intent.delete(platform).await;
        return Ok(payment);
    }
    // A stored intent keeps its age, so that a failed refund does not postpone the sweep.
    if !intent.is_stored(platform).await? {
        intent.save(platform, origin).await?;
    }
    ports.payments().claim(id).await?;
    let cancelled = decide(ports, origin, id).await?;
    let payment = match cancelled.state {
        Payment::Refunding(ref receipt) => {
            match refund(ports, receipt.gateway.as_ref(), id).await {
                Ok(()) => complete_refund(ports, origin, id).await?,
                Err(_) => return Ok(cancelled),
            }
        }
        _ => cancelled,
    };
    intent.delete(platform).await;
    Ok(payment)
}

async fn decide<P: Platform, G: Gateway, R>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    let payments = ports.payments();
    let configured = ports.gateway.id();
    payments
        .change(id, origin, |before| {
            Ok(match Payment::cancel(before, id, configured.as_ref()) {
                Some(payment) => Decision::Commit(payment, Vec::new(), ()),
                None => Decision::Keep(()),
            })
        })
        .await
}

async fn complete_refund<P: Platform, G, R>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    let payments = ports.payments();
    payments
        .change(id, origin, |before| {
            Ok(match before.and_then(Payment::complete_refund) {
                Some((payment, event)) => Decision::Commit(payment, vec![event], ()),
                None => Decision::Keep(()),
            })
        })
        .await
}

//! Cancel: the money of a reservation is returned, and if none was taken yet, none will be.

use crate::{Payments, domain::Payment, ports::Gateway, todo::Todo};
use events::ReservationId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Gives up the payment of a reservation, also one that is still on its way. Cancelling twice is
/// cancelling once. What is returned may still be [`Payment::Refunding`], when the gateway does not
/// answer: that cannot be turned back, and the sweep finishes it. Where nothing was recorded, the
/// gateway is not even asked: whoever asked it for money has noted that, and the sweep undoes it.
/// Mostly it has just been silent, and nobody should wait for it twice.
///
/// # Errors
///
/// What the store cannot do.
pub async fn cancel<P: Platform, G: Gateway, R>(
    payments: &Payments<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    match payments.gateway.is_remote() {
        false => at_once(payments, origin, id).await,
        true => from_afar(payments, origin, id).await,
    }
}

/// Where returning money is nothing that could fail, giving up and refunding are one change.
async fn at_once<P: Platform, G, R>(
    payments: &Payments<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    payments.claim(id).await?;
    payments
        .change(id, origin, |before| {
            let given_up = Payment::give_up(before, id);
            let refunded = given_up.as_ref().or(before).and_then(Payment::refund);
            Ok(match (refunded, given_up) {
                (Some((payment, event)), _) => Decision::Commit(payment, vec![event], ()),
                (None, Some(payment)) => Decision::Commit(payment, Vec::new(), ()),
                (None, None) => Decision::Keep(()),
            })
        })
        .await
}

/// Has a gateway elsewhere return the money; the order of steps is told in [`super`].
async fn from_afar<P: Platform, G: Gateway, R>(
    payments: &Payments<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    let platform = &payments.platform;
    let undo = Todo::Undo(id);
    let known = payments.find(id).await?;
    if let Some(known) = known.filter(|known| matches!(known.state, Payment::Cancelled(_))) {
        undo.done(platform).await;
        return Ok(known);
    }
    // The first note keeps its age, so that the sweep does not wait anew after each failure.
    if !undo.is_noted(platform).await? {
        undo.note(platform, origin).await?;
    }
    payments.claim(id).await?;
    let given_up = payments
        .change(id, origin, |before| {
            Ok(match Payment::give_up(before, id) {
                Some(payment) => Decision::Commit(payment, Vec::new(), ()),
                None => Decision::Keep(()),
            })
        })
        .await?;
    let cancelled = match given_up.state {
        Payment::Refunding(_) => match payments.gateway.undo(id).await {
            Ok(()) => refunded(payments, origin, id).await?,
            Err(_) => return Ok(given_up),
        },
        _ => given_up,
    };
    undo.done(platform).await;
    Ok(cancelled)
}

async fn refunded<P: Platform, G, R>(
    payments: &Payments<P, G>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Versioned<Payment>, ChangeError<R>> {
    payments
        .change(id, origin, |before| {
            Ok(match before.and_then(Payment::refund) {
                Some((payment, event)) => Decision::Commit(payment, vec![event], ()),
                None => Decision::Keep(()),
            })
        })
        .await
}

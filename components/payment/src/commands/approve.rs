//! Approve: the money of a reservation is taken, once.

use crate::{
    Payments,
    domain::{Order, Payment, Refusal},
    ports::{Approval, Gateway},
    todo::Todo,
};
use kit::{ChangeError, Decision, Origin, Platform, Versioned, numbering};

/// Takes the money for an order. Approving twice is approving once.
///
/// # Errors
///
/// [`Refusal::Cancelled`], [`Refusal::Declined`], [`Refusal::NotAsked`], [`Refusal::Unresolved`], and
/// what the store cannot do: in the last two cases the caller should cancel.
pub async fn approve<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    origin: &Origin,
    order: Order,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    if let Some(known) = payments.find(order.reservation).await? {
        return standing(known);
    }
    match payments.gateway.is_remote() {
        false => {
            ask(payments, &order).await?;
            record(payments, origin, order).await
        }
        true => from_afar(payments, origin, order).await,
    }
}

/// Asks a gateway that may be cut off; the order of steps is told in [`super`].
async fn from_afar<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    origin: &Origin,
    order: Order,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    let platform = &payments.platform;
    let asked = Todo::asked(platform, order.reservation);
    asked.note(platform, origin).await?;
    if let Some(known) = payments.find(order.reservation).await? {
        asked.done(platform).await;
        return standing(known);
    }
    let outcome = match ask(payments, &order).await {
        Ok(()) => record(payments, origin, order).await,
        Err(refusal) => Err(refusal),
    };
    match &outcome {
        Ok(_) | Err(ChangeError::Refused(Refusal::Declined(_) | Refusal::NotAsked(_))) => {
            asked.done(platform).await;
        }
        Err(ChangeError::Refused(Refusal::Cancelled(id))) => {
            // The cancel came while the gateway took the money. Whether this returns it, the sweep makes sure.
            let _ = payments.gateway.undo(*id).await;
        }
        Err(_) => {}
    }
    outcome
}

async fn ask<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    order: &Order,
) -> Result<(), ChangeError<Refusal>> {
    let refusal = match payments.gateway.approve(order).await {
        Approval::Approved => return Ok(()),
        Approval::Declined => Refusal::Declined(*order),
        Approval::NotAsked(silence) => Refusal::NotAsked(silence),
        Approval::Unknown(silence) => Refusal::Unresolved(silence),
    };
    Err(ChangeError::Refused(refusal))
}

/// Records that the money was taken, under a number of its own.
async fn record<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    origin: &Origin,
    order: Order,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    payments.claim(order.reservation).await?;
    let id = payments.number(order.reservation).await?;
    let recorded = payments
        .change(order.reservation, origin, |before| {
            if let Some(known) = before {
                known.stands()?;
                return Ok(Decision::Keep(()));
            }
            let (payment, event) = Payment::pay(id, order);
            Ok(Decision::Commit(payment, vec![event], ()))
        })
        .await;
    let is_unused = match &recorded {
        Ok(payment) => payment
            .state
            .receipt()
            .is_none_or(|receipt| receipt.id != id),
        Err(ChangeError::Refused(_)) => true,
        // Perhaps it was recorded after all; a list that meets the number finds out.
        Err(_) => false,
    };
    if is_unused {
        let _ = numbering::retire(&payments.platform, id.0).await;
    }
    recorded
}

fn standing(known: Versioned<Payment>) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    known.state.stands().map_err(ChangeError::Refused)?;
    Ok(known)
}

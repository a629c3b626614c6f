//! The reactions to events of the payment context, one file per event.
//!
//! Each reaction is a no-op in the stage it leads to, so an event can arrive twice, late or out of order.

mod payment_approved;
mod payment_cancelled;

use crate::{domain::Refusal, ports::ReservationPorts};
use events::{CloudEvent, Event};
use kit::{ChangeError, Origin, Platform};

/// Reacts to an event, if it concerns reservations. Idempotent.
///
/// # Errors
///
/// [`ChangeError`] when the store fails; the event must then be delivered again.
pub async fn react<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    event: &CloudEvent,
) -> Result<(), ChangeError<Refusal>> {
    let origin = Origin::from_event(event);
    let reaction = match &event.event {
        Event::PaymentApproved(payment) => payment_approved::react(ports, &origin, payment).await,
        Event::PaymentCancelled(payment) => payment_cancelled::react(ports, &origin, payment).await,
        _ => Ok(()),
    };
    match reaction {
        // A payment of an unknown reservation: another delivery would not change that.
        Err(ChangeError::Refused(Refusal::Unknown(_))) => Ok(()),
        reaction => reaction,
    }
}

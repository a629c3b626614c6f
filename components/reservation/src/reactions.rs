//! What events of the payment context cause here. Each reaction is a no-op in the state it leads
//! to, so that an event may arrive twice, late, or in the wrong order.

mod payment_approved;
mod payment_cancelled;

use crate::{Desk, domain::Refusal};
use events::{CloudEvent, Event};
use kit::{ChangeError, Origin, Platform};

/// Reacts to an event, if it concerns reservations.
///
/// # Errors
///
/// What the store cannot do; the event is then to be delivered again.
pub async fn react<P: Platform, C, Y>(
    desk: &Desk<P, C, Y>,
    event: &CloudEvent,
) -> Result<(), ChangeError<Refusal>> {
    let origin = Origin::from_event(event);
    let reaction = match &event.event {
        Event::PaymentApproved(payment) => payment_approved::react(desk, &origin, payment).await,
        Event::PaymentCancelled(payment) => payment_cancelled::react(desk, &origin, payment).await,
        _ => Ok(()),
    };
    match reaction {
        // A payment for a reservation that is not ours: nothing to do, now or later.
        Err(ChangeError::Refused(Refusal::Unknown(_))) => Ok(()),
        reaction => reaction,
    }
}

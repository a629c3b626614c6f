//! What events of other contexts cause here.

mod reservation_cancel_requested;

use crate::{Payments, ports::Gateway};
use events::{CloudEvent, Event};
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

/// Reacts to an event, if it concerns payments.
///
/// # Errors
///
/// What the store cannot do; the event is then to be delivered again.
pub async fn react<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    event: &CloudEvent,
) -> Result<(), ChangeError<Infallible>> {
    let origin = Origin::from_event(event);
    match &event.event {
        Event::ReservationCancelRequested(reservation) => {
            reservation_cancel_requested::react(payments, &origin, reservation).await
        }
        _ => Ok(()),
    }
}

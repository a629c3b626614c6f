//! The reactions to events of other contexts, one file per event.

mod reservation_cancel_requested;

use crate::ports::{Gateway, PaymentPorts};
use events::{CloudEvent, Event};
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

/// Reacts to an event, if it concerns payments. Idempotent.
///
/// # Errors
///
/// [`ChangeError`] when the store fails; the event must then be delivered again.
pub async fn react<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    event: &CloudEvent,
) -> Result<(), ChangeError<Infallible>> {
    let origin = Origin::from_event(event);
    match &event.event {
        Event::ReservationCancelRequested(reservation) => {
            reservation_cancel_requested::react(ports, &origin, reservation).await
        }
        _ => Ok(()),
    }
}

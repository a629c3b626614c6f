//! The reactions to events of other contexts, one file per event.
//!
//! Each reaction is a no-op in the state it leads to, so an event can arrive twice.

mod reservation_cancelled;
mod reservation_confirmed;
mod reservation_rejected;

use crate::repository::CarRepository;
use events::{CloudEvent, Event};
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

/// Reacts to an event, if it concerns cars. Idempotent.
///
/// # Errors
///
/// [`ChangeError`] when the store fails; the event must then be delivered again.
pub async fn react<P: Platform>(
    cars: &CarRepository<P>,
    event: &CloudEvent,
) -> Result<(), ChangeError<Infallible>> {
    let origin = Origin::from_event(event);
    match &event.event {
        Event::ReservationConfirmed(reservation) => {
            reservation_confirmed::react(cars, &origin, reservation).await
        }
        Event::ReservationCancelled(reservation) => {
            reservation_cancelled::react(cars, &origin, reservation).await
        }
        Event::ReservationRejected(reservation) => {
            reservation_rejected::react(cars, &origin, reservation).await
        }
        _ => Ok(()),
    }
}

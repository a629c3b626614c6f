//! The reactions to events of other contexts, one file per event: each sends one message.
//!
//! An event can arrive twice: a message that was sent is not sent again.

mod reservation_cancelled;
mod reservation_confirmed;
mod reservation_rejected;

use crate::repository::MessageRepository;
use events::{CloudEvent, Event};
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

/// Reacts to an event, if it causes a message. Idempotent.
///
/// # Errors
///
/// [`ChangeError`] when the store fails; the event must then be delivered again.
pub async fn react<P: Platform>(
    messages: &MessageRepository<P>,
    event: &CloudEvent,
) -> Result<(), ChangeError<Infallible>> {
    let origin = Origin::from_event(event);
    match &event.event {
        Event::ReservationConfirmed(reservation) => {
            reservation_confirmed::react(messages, &origin, reservation).await
        }
        Event::ReservationCancelled(reservation) => {
            reservation_cancelled::react(messages, &origin, reservation).await
        }
        Event::ReservationRejected(reservation) => {
            reservation_rejected::react(messages, &origin, reservation).await
        }
        _ => Ok(()),
    }
}

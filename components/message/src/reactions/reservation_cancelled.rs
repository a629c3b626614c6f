//! ReservationCancelled: the customer gets the message that the reservation is cancelled.
//!
//! Idempotent because a reservation gets one message of each kind.

use crate::{domain::MessageKind, repository::MessageRepository};
use events::ReservationState;
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform>(
    messages: &MessageRepository<P>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    let kind = MessageKind::Cancelled;
    messages.send(origin, kind, reservation).await
}

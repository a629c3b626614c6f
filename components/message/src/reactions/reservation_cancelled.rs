//! ReservationCancelled: the customer is told that the reservation was given up.
//!
//! Idempotent because there is one message for each reservation and occasion.

use crate::{MessageRepository, domain::MessageKind};
use events::ReservationState;
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform>(
    messages: &MessageRepository<P>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    messages
        .send(
            origin,
            MessageKind::Cancelled,
            reservation.rsv_id,
            reservation.car_id,
        )
        .await
}

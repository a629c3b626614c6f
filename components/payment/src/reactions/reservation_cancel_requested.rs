//! ReservationCancelRequested: the money is returned, and PaymentCancelled announces it.
//!
//! Idempotent because only a paid payment is refunded. A gateway that does not respond does not fail the reaction:
//! the refund is decided and its intent stored, and the sweep completes it.

use crate::{
    commands,
    ports::{Gateway, PaymentPorts},
};
use events::ReservationState;
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    commands::cancel(ports, origin, reservation.rsv_id).await?;
    Ok(())
}

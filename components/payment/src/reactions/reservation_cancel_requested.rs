//! ReservationCancelRequested: the money is returned, and PaymentCancelled says so.
//!
//! Idempotent because money is returned only while it is ours. A gateway that does not answer is no
//! reason to have the event delivered again: the refund is decided and noted, the sweep keeps at it.

use crate::{Payments, commands, ports::Gateway};
use events::ReservationState;
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    commands::cancel(payments, origin, reservation.rsv_id).await?;
    Ok(())
}

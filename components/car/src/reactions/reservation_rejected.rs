//! ReservationRejected: whatever is still held for the reservation is free again.
//!
//! Idempotent because a booking that is gone cannot be freed.

use crate::Fleet;
use events::ReservationState;
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform>(
    fleet: &Fleet<P>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    super::free(fleet, origin, reservation).await
}

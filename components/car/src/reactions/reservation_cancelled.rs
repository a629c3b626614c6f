//! ReservationCancelled: the car is free again, and CarCancelled says so if CarReserved had.
//!
//! Idempotent because a booking that is gone cannot be freed.

use crate::CarRepository;
use events::ReservationState;
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform>(
    cars: &CarRepository<P>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    super::free(cars, origin, reservation).await
}

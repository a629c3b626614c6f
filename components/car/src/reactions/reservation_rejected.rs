//! ReservationRejected: the hold of the reservation is removed, if it is still there.
//!
//! Idempotent because a removed booking cannot be removed again.

use crate::repository::CarRepository;
use events::ReservationState;
use kit::{ChangeError, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform>(
    cars: &CarRepository<P>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    cars.transition(reservation.car_id, origin, |car| {
        car.remove_booking(reservation.rsv_id)
    })
    .await
}

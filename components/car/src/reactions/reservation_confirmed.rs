//! ReservationConfirmed: the hold becomes a confirmed booking, and CarReserved announces it.
//!
//! Idempotent because only a hold can be confirmed.

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
        car.confirm(reservation.rsv_id)
    })
    .await
}

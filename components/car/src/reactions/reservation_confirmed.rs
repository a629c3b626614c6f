//! ReservationConfirmed: the hold becomes a booking, and CarReserved says so.
//!
//! Idempotent because a confirmed booking is no hold any more.

use crate::CarRepository;
use events::ReservationState;
use kit::{ChangeError, Decision, Origin, Platform};
use std::convert::Infallible;

pub(super) async fn react<P: Platform>(
    cars: &CarRepository<P>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    cars.change(reservation.car_id, origin, |car| {
        Ok(
            match car.and_then(|car| car.state.confirm(reservation.rsv_id)) {
                Some((car, event)) => Decision::Commit(car, vec![event], ()),
                None => Decision::Keep(()),
            },
        )
    })
    .await?;
    Ok(())
}

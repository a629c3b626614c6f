//! Release: the reservation context gives a hold up, also a hold that may not have arrived.

use crate::{domain::Refusal, repository::CarRepository};
use events::{CarId, ReservationId};
use kit::{ChangeError, Decision, Origin, Platform};

/// Removes the booking of a reservation, and refuses a hold of the reservation that arrives later. Idempotent, and
/// successful without a booking.
///
/// # Errors
///
/// [`Refusal::Unknown`] for a car that was never registered: the release cannot be stored, so a delayed hold would
/// succeed if the car were registered before it arrives. [`ChangeError`] when the store fails.
pub async fn release<P: Platform, R: From<Refusal>>(
    cars: &CarRepository<P>,
    origin: &Origin,
    id: CarId,
    reservation: ReservationId,
) -> Result<(), ChangeError<R>> {
    cars.change(id, origin, |car| {
        let car = &car.ok_or(Refusal::Unknown(id))?.state;
        Ok(match car.release(reservation) {
            Some((car, event)) => Decision::Commit(car, event.into_iter().collect(), ()),
            None => Decision::Keep(()),
        })
    })
    .await?;
    Ok(())
}

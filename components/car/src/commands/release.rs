//! Release: the reservation context gives a hold up, also one whose arrival it is not sure of.

use crate::{CarRepository, domain::Refusal};
use events::{CarId, ReservationId};
use kit::{ChangeError, Decision, Origin, Platform};

/// Gives up what a reservation holds, now and in case the hold is still on its way. Releasing what
/// is not held is no error.
///
/// # Errors
///
/// [`Refusal::Unknown`] for a car that was never there: nothing can be noted of it, and should it
/// appear, a hold that is still on its way would succeed. And what the store cannot do.
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

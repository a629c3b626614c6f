//! Hold: the reservation context keeps a car while the customer pays.

use crate::{
    domain::{Car, Period, Refusal},
    repository::CarRepository,
};
use events::{CarId, ReservationId};
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Holds a car for a reservation. Idempotent; of several reservations, exactly one succeeds.
///
/// # Errors
///
/// [`Refusal::Unknown`], [`Refusal::NotAvailable`], and [`ChangeError`] when the store fails.
pub async fn hold<P: Platform, R: From<Refusal>>(
    cars: &CarRepository<P>,
    origin: &Origin,
    id: CarId,
    reservation: ReservationId,
) -> Result<Versioned<Car>, ChangeError<R>> {
    let held = cars
        .change(id, origin, |car| {
            let car = &car.ok_or(Refusal::Unknown(id))?.state;
            Ok(match car.hold(reservation, Period::OPEN)? {
                Some(car) => Decision::Commit(car, Vec::new(), ()),
                None => Decision::Keep(()),
            })
        })
        .await?;
    held.ok_or_else(|| ChangeError::Refused(Refusal::Unknown(id).into()))
}

//! Delete: a car without bookings is removed.

use crate::{
    domain::{Car, Refusal},
    repository::CarRepository,
};
use events::CarId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Deletes a car. `check` can refuse the car as it is stored.
///
/// # Errors
///
/// [`Refusal::Unknown`], [`Refusal::Booked`], what `check` returns, and [`ChangeError`] when the store fails.
pub async fn delete<P: Platform, R: From<Refusal>>(
    cars: &CarRepository<P>,
    origin: &Origin,
    id: CarId,
    check: impl Fn(&Versioned<Car>) -> Result<(), R>,
) -> Result<(), ChangeError<R>> {
    cars.change(id, origin, |car| {
        let car = car.ok_or(Refusal::Unknown(id))?;
        car.state.details()?;
        check(car)?;
        let (deleted, event) = car.state.delete()?;
        Ok(Decision::Commit(deleted, vec![event], ()))
    })
    .await?;
    Ok(())
}

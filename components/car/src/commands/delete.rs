//! Delete: a car without bookings leaves the fleet.

use crate::{
    CarRepository,
    domain::{Car, Refusal},
};
use events::CarId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Deletes a car; `check` may still object to the car as it is.
///
/// # Errors
///
/// [`Refusal::Unknown`], [`Refusal::Booked`], what `check` refuses, and what the store cannot do.
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
        let (gone, event) = car.state.delete()?;
        Ok(Decision::Commit(gone, vec![event], ()))
    })
    .await?;
    Ok(())
}

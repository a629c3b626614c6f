//! Register: a new car gets the next number.

use crate::{
    domain::{Car, CarDetails},
    repository::CarRepository,
};
use events::CarId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned, numbering};

/// Registers a car.
///
/// # Errors
///
/// [`ChangeError`] when the store fails; the allocated number may then stay unused.
pub async fn register<P: Platform, R>(
    cars: &CarRepository<P>,
    origin: &Origin,
    details: CarDetails,
) -> Result<Versioned<Car>, ChangeError<R>> {
    let id = CarId(numbering::allocate(&cars.platform).await?);
    let registered = cars
        .change(id, origin, |existing| {
            // No other request has this number, so an existing car is the result of this request's own write.
            if existing.is_some() {
                return Ok(Decision::Keep(()));
            }
            let (car, event) = Car::register(id, details.clone());
            Ok(Decision::Commit(car, vec![event], ()))
        })
        .await?;
    registered.ok_or_else(|| ChangeError::Contended(format!("car/{id}")))
}

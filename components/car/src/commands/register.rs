//! Register: a car joins the fleet under the next number.

use crate::{
    CarRepository,
    domain::{Car, CarDetails},
};
use events::CarId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned, numbering};

/// Adds a car to the fleet.
///
/// # Errors
///
/// What the store cannot do; a number may then be lost, never a car.
pub async fn register<P: Platform, R>(
    cars: &CarRepository<P>,
    origin: &Origin,
    details: CarDetails,
) -> Result<Versioned<Car>, ChangeError<R>> {
    let id = CarId(numbering::allocate(&cars.platform).await?);
    let registered = cars
        .change(id, origin, |existing| {
            // The number is ours alone: what exists is our own write, read back.
            if existing.is_some() {
                return Ok(Decision::Keep(()));
            }
            let (car, event) = Car::register(id, details.clone());
            Ok(Decision::Commit(car, vec![event], ()))
        })
        .await?;
    registered.ok_or_else(|| ChangeError::Contended(format!("car/{id}")))
}

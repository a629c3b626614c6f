//! Register: a new car gets the next number.

use crate::{
    domain::{Car, CarDetails},
    repository::CarRepository,
};
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Registers a car.
///
/// # Errors
///
/// [`ChangeError`] when the store fails; the allocated number may then stay unused. [`ChangeError::Contended`] when another
/// request has registered a car under the number.
pub async fn register<P: Platform, R>(
    cars: &CarRepository<P>,
    origin: &Origin,
    details: CarDetails,
) -> Result<Versioned<Car>, ChangeError<R>> {
    let id = cars.allocate_number().await?;
    let taken = || ChangeError::Contended(format!("car/{id}"));
    let mut is_taken = false;
    let registered = cars
        .change(id, origin, |existing| {
            // The result of this request's own write would be found by its commit id, and not be asked about.
            is_taken = existing.is_some();
            if is_taken {
                return Ok(Decision::Keep(()));
            }
            let (car, event) = Car::register(id, details.clone());
            Ok(Decision::Commit(car, vec![event], ()))
        })
        .await?;
    registered.filter(|_| !is_taken).ok_or_else(taken)
}

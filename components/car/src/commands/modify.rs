//! Modify: a car gets other details.

use crate::{
    domain::{Car, CarDetails, Refusal},
    repository::CarRepository,
};
use events::CarId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Changes the details of a car. `edit` returns the new details of the car as it is stored.
///
/// # Errors
///
/// [`Refusal::Unknown`], what `edit` returns, and [`ChangeError`] when the store fails.
pub async fn modify<P: Platform, R: From<Refusal>>(
    cars: &CarRepository<P>,
    origin: &Origin,
    id: CarId,
    mut edit: impl FnMut(&Versioned<Car>) -> Result<CarDetails, R>,
) -> Result<Versioned<Car>, ChangeError<R>> {
    let modified = cars
        .change(id, origin, |car| {
            let car = car.ok_or(Refusal::Unknown(id))?;
            car.state.details()?;
            Ok(match car.state.modify(edit(car)?)? {
                Some((car, event)) => Decision::Commit(car, vec![event], ()),
                None => Decision::Keep(()),
            })
        })
        .await?;
    modified.ok_or_else(|| ChangeError::Refused(Refusal::Unknown(id).into()))
}

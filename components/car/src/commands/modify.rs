//! Modify: other details for a car of the fleet.

use crate::{
    CarRepository,
    domain::{Car, CarDetails, Refusal},
};
use events::CarId;
use kit::{ChangeError, Decision, Origin, Platform, Versioned};

/// Changes what people say of a car; `edit` turns the car as it is into its new details.
///
/// # Errors
///
/// [`Refusal::Unknown`], what `edit` refuses, and what the store cannot do.
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

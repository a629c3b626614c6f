//! `socar:car/holds`: what the reservation context asks of this one.

use super::{Component, bindings::exports::socar::car::holds as wit, repository};
use crate::{commands, domain::Refusal};
use events::{CarId, ReservationId};
use kit::{ChangeError, spin::calls::types};

impl wit::Guest for Component {
    async fn hold(
        origin: types::Origin,
        car: wit::CarId,
        reservation: wit::ReservationId,
    ) -> Result<wit::Won, wit::HoldError> {
        let cars = repository();
        let origin = origin.received(&cars.platform);
        let (car, reservation) = (CarId(car), ReservationId(reservation));
        let held = commands::hold::<_, Refusal>(&cars, &origin, car, reservation).await?;
        Ok(held.state.details()?.amount)
    }

    async fn release(
        origin: types::Origin,
        car: wit::CarId,
        reservation: wit::ReservationId,
    ) -> Result<(), wit::ReleaseError> {
        let cars = repository();
        let origin = origin.received(&cars.platform);
        let (car, reservation) = (CarId(car), ReservationId(reservation));
        Ok(commands::release::<_, Refusal>(&cars, &origin, car, reservation).await?)
    }
}

impl From<Refusal> for wit::HoldError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(_) => Self::UnknownCar,
            Refusal::NotAvailable(_) | Refusal::Booked(_) => Self::NotAvailable,
        }
    }
}

impl From<ChangeError<Refusal>> for wit::HoldError {
    fn from(error: ChangeError<Refusal>) -> Self {
        match error.into_refusal() {
            Ok(refusal) => refusal.into(),
            Err(unavailable) => Self::Unavailable(unavailable.into()),
        }
    }
}

impl From<ChangeError<Refusal>> for wit::ReleaseError {
    fn from(error: ChangeError<Refusal>) -> Self {
        match error.into_refusal() {
            // A release of a car that exists is never refused.
            Ok(_) => Self::UnknownCar,
            Err(unavailable) => Self::Unavailable(unavailable.into()),
        }
    }
}

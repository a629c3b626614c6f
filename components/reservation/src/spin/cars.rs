//! The car context through `socar:car/holds`.

use super::bindings::socar::car::holds as wit;
use crate::ports::{Cars, HoldOutcome, ReleaseOutcome};
use events::{CarId, ReservationId};
use kit::{Origin, Unavailable};

pub(super) struct SpinCars;

impl Cars for SpinCars {
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<HoldOutcome, Unavailable> {
        match wit::hold(origin.into(), car.0, id.0).await {
            Ok(amount) => Ok(HoldOutcome::Held { amount }),
            Err(wit::HoldError::NotAvailable) => Ok(HoldOutcome::NotAvailable),
            Err(wit::HoldError::UnknownCar) => Ok(HoldOutcome::UnknownCar),
            Err(wit::HoldError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }

    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, Unavailable> {
        match wit::release(origin.into(), car.0, id.0).await {
            Ok(()) => Ok(ReleaseOutcome::Released),
            Err(wit::ReleaseError::UnknownCar) => Ok(ReleaseOutcome::UnknownCar),
            Err(wit::ReleaseError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }
}

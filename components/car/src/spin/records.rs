//! `socar:car/records`: what a rebuild of the read model asks of this context.

use super::{Component, bindings::exports::socar::car::records as wit, repository};
use crate::{
    domain::{Car, CarStatus},
    queries,
};
use kit::{
    ReadError, Versioned,
    records::{self, MAX_NUMBERS},
    spin::calls::types,
};

impl wit::Guest for Component {
    async fn newest(_: types::Origin) -> Result<Option<wit::CarId>, wit::ReadError> {
        Ok(records::newest(&repository().platform).await?)
    }

    async fn read(
        _: types::Origin,
        numbers: Vec<wit::CarId>,
    ) -> Result<Vec<wit::Car>, wit::ReadError> {
        let cars = queries::cars_of(&repository(), &numbers).await?;
        Ok(cars.iter().filter_map(record).collect())
    }
}

/// `None` for a deleted car.
fn record(car: &Versioned<Car>) -> Option<wit::Car> {
    let details = car.state.details().ok()?;
    Some(wit::Car {
        id: car.state.id().0,
        version: car.version,
        name: details.name.clone(),
        kind: details.kind.clone(),
        amount: details.amount,
        status: match car.state.status() {
            CarStatus::Available => wit::Status::Available,
            CarStatus::Reserved => wit::Status::Reserved,
        },
    })
}

impl From<ReadError> for wit::ReadError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooMany => Self::TooMany(MAX_NUMBERS as u32),
            ReadError::Unavailable(unavailable) => Self::Unavailable(unavailable.into()),
        }
    }
}

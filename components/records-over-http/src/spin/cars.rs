//! `socar:car/records` over HTTP.

use super::{Component, bindings::exports::socar::car::records as wit, resources::Resources};
use events::CarState;
use kit::{ReadError, Unavailable, records::MAX_NUMBERS, spin::calls::types};

const CARS: Resources = Resources::new("car", "car_url", "cars", "carId");

impl wit::Guest for Component {
    async fn newest(origin: types::Origin) -> Result<Option<wit::CarId>, wit::ReadError> {
        Ok(CARS.newest(&origin).await?)
    }

    async fn read(
        origin: types::Origin,
        numbers: Vec<wit::CarId>,
    ) -> Result<Vec<wit::Car>, wit::ReadError> {
        let found = CARS.read(&origin, &numbers).await?;
        let records = found.into_iter().map(record);
        Ok(records
            .collect::<Result<_, Unavailable>>()
            .map_err(ReadError::from)?)
    }
}

fn record((car, version): (CarState, u64)) -> Result<wit::Car, Unavailable> {
    Ok(wit::Car {
        id: car.car_id.0,
        version,
        name: car.car_name,
        kind: car.car_type,
        amount: car.amount,
        status: match car.status.as_str() {
            "available" => wit::Status::Available,
            "reserved" => wit::Status::Reserved,
            other => return Err(CARS.unknown_status(other)),
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

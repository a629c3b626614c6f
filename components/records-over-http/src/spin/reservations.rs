//! `socar:reservation/records` over HTTP.

use super::{
    Component, bindings::exports::socar::reservation::records as wit, resources::Resources,
};
use events::ReservationState;
use kit::{ReadError, Unavailable, records::MAX_NUMBERS, spin::calls::types};

const RESERVATIONS: Resources =
    Resources::new("reservation", "reservation_url", "reservations", "rsvId");

impl wit::Guest for Component {
    async fn newest(origin: types::Origin) -> Result<Option<wit::ReservationId>, wit::ReadError> {
        Ok(RESERVATIONS.newest(&origin).await?)
    }

    async fn read(
        origin: types::Origin,
        numbers: Vec<wit::ReservationId>,
    ) -> Result<Vec<wit::Reservation>, wit::ReadError> {
        let found = RESERVATIONS.read(&origin, &numbers).await?;
        let records = found.into_iter().map(record);
        Ok(records
            .collect::<Result<_, Unavailable>>()
            .map_err(ReadError::from)?)
    }
}

fn record(
    (reservation, version): (ReservationState, u64),
) -> Result<wit::Reservation, Unavailable> {
    Ok(wit::Reservation {
        id: reservation.rsv_id.0,
        version,
        car: reservation.car_id.0,
        payment: reservation.pay_id.map(|payment| payment.0),
        status: match reservation.status.as_str() {
            "reqReserve" => wit::Status::Requested,
            "reserved" => wit::Status::Reserved,
            "reqCancel" => wit::Status::CancelRequested,
            "cancelled" => wit::Status::Cancelled,
            "rejected" => wit::Status::Rejected,
            other => return Err(RESERVATIONS.unknown_status(other)),
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

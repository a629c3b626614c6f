//! `socar:reservation/records`: what a rebuild of the read model asks of this context.

use super::{Component, bindings::exports::socar::reservation::records as wit};
use crate::{
    domain::{Reservation, Stage},
    queries,
    repository::ReservationRepository,
};
use kit::{
    ReadError, Versioned,
    records::{self, MAX_NUMBERS},
    spin::{SpinPlatform, calls::types},
};

impl wit::Guest for Component {
    async fn newest(_: types::Origin) -> Result<Option<wit::ReservationId>, wit::ReadError> {
        Ok(records::newest(&platform()).await?)
    }

    async fn read(
        _: types::Origin,
        numbers: Vec<wit::ReservationId>,
    ) -> Result<Vec<wit::Reservation>, wit::ReadError> {
        let platform = platform();
        let reservations = ReservationRepository::new(&platform);
        let reservations = queries::reservations_of(&reservations, &numbers).await?;
        Ok(reservations.iter().map(record).collect())
    }
}

fn platform() -> SpinPlatform {
    SpinPlatform::new("reservation")
}

fn record(reservation: &Versioned<Reservation>) -> wit::Reservation {
    let state = &reservation.state;
    wit::Reservation {
        id: state.id.0,
        version: reservation.version,
        car: state.car.0,
        payment: state.stage.payment().map(|payment| payment.0),
        status: match state.stage {
            Stage::Requested => wit::Status::Requested,
            Stage::Reserved { .. } => wit::Status::Reserved,
            Stage::CancelRequested { .. } => wit::Status::CancelRequested,
            Stage::Cancelled { .. } => wit::Status::Cancelled,
            Stage::Rejected { .. } => wit::Status::Rejected,
        },
    }
}

impl From<ReadError> for wit::ReadError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooMany => Self::TooMany(MAX_NUMBERS as u32),
            ReadError::Unavailable(unavailable) => Self::Unavailable(unavailable.into()),
        }
    }
}

//! The other contexts through their `records`.

use super::bindings::socar::{
    car::records as car, payment::records as payment, reservation::records as reservation,
};
use crate::{
    ports::{Record, RecordState, Records},
    source_context::SourceContext,
};
use events::{CarId, CarState, PaymentId, PaymentState, ReservationId, ReservationState};
use kit::{Effect, Origin, Unavailable};

/// The records of all contexts, read for one request.
pub(super) struct SpinRecords {
    pub origin: Origin,
}

impl Records for SpinRecords {
    async fn newest(&self, context: SourceContext) -> Result<Option<u64>, Unavailable> {
        let origin = (&self.origin).into();
        Ok(match context {
            SourceContext::Car => car::newest(origin).await?,
            SourceContext::Reservation => reservation::newest(origin).await?,
            SourceContext::Payment => payment::newest(origin).await?,
        })
    }

    async fn read(
        &self,
        context: SourceContext,
        numbers: &[u64],
    ) -> Result<Vec<Record>, Unavailable> {
        let (origin, numbers) = ((&self.origin).into(), numbers.to_vec());
        Ok(match context {
            SourceContext::Car => records(car::read(origin, numbers).await?),
            SourceContext::Reservation => records(reservation::read(origin, numbers).await?),
            SourceContext::Payment => records(payment::read(origin, numbers).await?),
        })
    }
}

fn records<T: Into<Record>>(records: Vec<T>) -> Vec<Record> {
    records.into_iter().map(Into::into).collect()
}

impl From<car::Car> for Record {
    fn from(car: car::Car) -> Self {
        let state = CarState {
            car_id: CarId(car.id),
            car_name: car.name,
            car_type: car.kind,
            amount: car.amount,
            status: match car.status {
                car::Status::Available => "available",
                car::Status::Reserved => "reserved",
            }
            .into(),
        };
        Self {
            state: RecordState::Car(state),
            version: car.version,
        }
    }
}

impl From<reservation::Reservation> for Record {
    fn from(reservation: reservation::Reservation) -> Self {
        let state = ReservationState {
            rsv_id: ReservationId(reservation.id),
            car_id: CarId(reservation.car),
            pay_id: reservation.payment.map(PaymentId),
            status: match reservation.status {
                reservation::Status::Requested => "reqReserve",
                reservation::Status::Reserved => "reserved",
                reservation::Status::CancelRequested => "reqCancel",
                reservation::Status::Cancelled => "cancelled",
                reservation::Status::Rejected => "rejected",
            }
            .into(),
            reason: None,
            customer_id: None,
        };
        Self {
            state: RecordState::Reservation(state),
            version: reservation.version,
        }
    }
}

impl From<payment::Payment> for Record {
    fn from(payment: payment::Payment) -> Self {
        let state = PaymentState {
            pay_id: PaymentId(payment.id),
            rsv_id: ReservationId(payment.reservation),
            car_id: CarId(payment.car),
            amount: payment.amount,
            status: match payment.status {
                payment::Status::Paid => "paid",
                payment::Status::Cancelled => "cancelled",
            }
            .into(),
            customer_id: None,
        };
        Self {
            state: RecordState::Payment(state),
            version: payment.version,
        }
    }
}

impl From<car::ReadError> for Unavailable {
    fn from(error: car::ReadError) -> Self {
        match error {
            car::ReadError::TooMany(maximum) => too_many(maximum),
            car::ReadError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<reservation::ReadError> for Unavailable {
    fn from(error: reservation::ReadError) -> Self {
        match error {
            reservation::ReadError::TooMany(maximum) => too_many(maximum),
            reservation::ReadError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<payment::ReadError> for Unavailable {
    fn from(error: payment::ReadError) -> Self {
        match error {
            payment::ReadError::TooMany(maximum) => too_many(maximum),
            payment::ReadError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

fn too_many(maximum: u32) -> Unavailable {
    Unavailable {
        message: format!("a list of numbers may have {maximum} numbers"),
        effect: Effect::None,
        retry_after: None,
    }
}

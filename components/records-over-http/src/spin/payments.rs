//! `socar:payment/records` over HTTP.

use super::{Component, bindings::exports::socar::payment::records as wit, resources::Resources};
use events::PaymentState;
use kit::{ReadError, Unavailable, records::MAX_NUMBERS, spin::calls::types};

const PAYMENTS: Resources = Resources::new("payment", "payment_url", "payments", "payId");

impl wit::Guest for Component {
    async fn newest(origin: types::Origin) -> Result<Option<wit::PaymentId>, wit::ReadError> {
        Ok(PAYMENTS.newest(&origin).await?)
    }

    async fn read(
        origin: types::Origin,
        numbers: Vec<wit::PaymentId>,
    ) -> Result<Vec<wit::Payment>, wit::ReadError> {
        let found = PAYMENTS.read(&origin, &numbers).await?;
        let records = found.into_iter().map(record);
        Ok(records
            .collect::<Result<_, Unavailable>>()
            .map_err(ReadError::from)?)
    }
}

fn record((payment, version): (PaymentState, u64)) -> Result<wit::Payment, Unavailable> {
    Ok(wit::Payment {
        id: payment.pay_id.0,
        version,
        reservation: payment.rsv_id.0,
        car: payment.car_id.0,
        amount: payment.amount,
        status: match payment.status.as_str() {
            "paid" => wit::Status::Paid,
            "cancelled" => wit::Status::Cancelled,
            other => return Err(PAYMENTS.unknown_status(other)),
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

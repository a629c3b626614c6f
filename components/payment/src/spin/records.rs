//! `socar:payment/records`: what a rebuild of the read model asks of this context.

use super::{Component, bindings::exports::socar::payment::records as wit};
use crate::{domain::Payment, queries, repository::PaymentRepository};
use kit::{
    ReadError, Versioned,
    records::{self, MAX_NUMBERS},
    spin::{SpinPlatform, calls::types},
};

impl wit::Guest for Component {
    async fn newest(_: types::Origin) -> Result<Option<wit::PaymentId>, wit::ReadError> {
        Ok(records::newest(&platform()).await?)
    }

    async fn read(
        _: types::Origin,
        numbers: Vec<wit::PaymentId>,
    ) -> Result<Vec<wit::Payment>, wit::ReadError> {
        let platform = platform();
        let payments = PaymentRepository::new(&platform);
        let payments = queries::payments_of(&payments, &numbers).await?;
        Ok(payments.iter().filter_map(record).collect())
    }
}

fn platform() -> SpinPlatform {
    SpinPlatform::new("payment")
}

/// `None` when nothing was ever paid.
fn record(payment: &Versioned<Payment>) -> Option<wit::Payment> {
    let receipt = payment.state.receipt()?;
    Some(wit::Payment {
        id: receipt.id.0,
        version: payment.version,
        reservation: receipt.order.reservation.0,
        car: receipt.order.car.0,
        amount: receipt.order.amount,
        status: match payment.state {
            Payment::Paid(_) | Payment::Refunding(_) => wit::Status::Paid,
            Payment::Cancelled(_) | Payment::Voided(_) => wit::Status::Cancelled,
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

//! The payment context through `socar:payment/approvals`.

use super::bindings::socar::payment::approvals as wit;
use crate::ports::{ApprovalOutcome, Payments};
use events::{CarId, PaymentId, ReservationId};
use kit::{Effect, Origin, Unavailable};

pub(super) struct SpinPayments;

impl Payments for SpinPayments {
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
    ) -> Result<ApprovalOutcome, Unavailable> {
        match wit::approve(origin.into(), id.0, car.0, amount).await {
            Ok(payment) => Ok(ApprovalOutcome::Paid(PaymentId(payment))),
            Err(wit::ApprovalError::Declined) => Ok(ApprovalOutcome::Declined),
            Err(wit::ApprovalError::Cancelled) => Err(cancelled(id)),
            Err(wit::ApprovalError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unavailable> {
        let cancelled = wit::cancel(origin.into(), id.0).await;
        cancelled.map_err(|wit::CancellationError::Unavailable(unavailable)| unavailable.into())
    }

    async fn paid_payment(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unavailable> {
        match wit::paid_payment(origin.into(), id.0).await {
            Ok(payment) => Ok(payment.map(PaymentId)),
            Err(wit::QueryError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }
}

/// Another attempt of this saga cancelled the payment. Its effect counts as unknown, so that the compensation makes sure of
/// the refund.
fn cancelled(id: ReservationId) -> Unavailable {
    Unavailable {
        message: format!("the payment of reservation {id} was cancelled before"),
        effect: Effect::Unknown,
        retry_after: None,
    }
}

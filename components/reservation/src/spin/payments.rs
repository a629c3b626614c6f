//! The payment context through `socar:payment/approvals`, and through `socar:customer-payments/approvals` on behalf of a
//! customer.

use super::bindings::socar::{
    customer_payments::approvals as of_customer, payment::approvals as wit,
};
use crate::ports::{ApprovalOutcome, Payments};
use events::{CarId, CustomerId, PaymentId, ReservationId};
use kit::{Effect, Origin, Unavailable};

pub(super) struct SpinPayments;

impl Payments for SpinPayments {
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
        customer: Option<&CustomerId>,
    ) -> Result<ApprovalOutcome, Unavailable> {
        if let Some(CustomerId(customer)) = customer {
            let customer = customer.clone();
            let approved = of_customer::approve(origin.into(), id.0, car.0, amount, customer).await;
            return match approved {
                Ok(payment) => Ok(ApprovalOutcome::Paid(PaymentId(payment))),
                Err(of_customer::ApprovalError::Declined) => Ok(ApprovalOutcome::Declined),
                Err(of_customer::ApprovalError::Cancelled) => Err(cancelled(id)),
                Err(of_customer::ApprovalError::Unavailable(unavailable)) => {
                    Err(unavailable.into())
                }
            };
        }
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

//! `socar:payment/approvals`: what the reservation context asks of this one.

use super::{Component, bindings::exports::socar::payment::approvals as wit, ports};
use crate::{
    commands,
    domain::{GatewayError, Order, Payment, Refusal},
    queries,
};
use events::{CarId, ReservationId};
use kit::{ChangeError, Effect, Unavailable, spin::calls::types};
use std::convert::Infallible;

impl wit::Guest for Component {
    async fn approve(
        origin: types::Origin,
        reservation: wit::ReservationId,
        car: wit::CarId,
        amount: wit::Won,
    ) -> Result<wit::PaymentId, wit::ApprovalError> {
        let ports = ports().await;
        let origin = origin.received(&ports.platform);
        let order = Order {
            reservation: ReservationId(reservation),
            car: CarId(car),
            amount,
            customer: None,
        };
        let payment = commands::approve(&ports, &origin, order).await?;
        let receipt = payment.state.receipt();
        let number = receipt.map(|receipt| receipt.id.0);
        number.ok_or(wit::ApprovalError::Cancelled)
    }

    async fn cancel(
        origin: types::Origin,
        reservation: wit::ReservationId,
    ) -> Result<(), wit::CancellationError> {
        let ports = ports().await;
        let origin = origin.received(&ports.platform);
        let reservation = ReservationId(reservation);
        commands::cancel::<_, _, Infallible>(&ports, &origin, reservation).await?;
        Ok(())
    }

    async fn paid_payment(
        _: types::Origin,
        reservation: wit::ReservationId,
    ) -> Result<Option<wit::PaymentId>, wit::QueryError> {
        let ports = ports().await;
        let reservation = ReservationId(reservation);
        let payment = queries::payment_of::<_, _, Infallible>(&ports, reservation).await?;
        Ok(match payment {
            Some(Payment::Paid(receipt)) => Some(receipt.id.0),
            _ => None,
        })
    }
}

impl From<ChangeError<Refusal>> for wit::ApprovalError {
    fn from(error: ChangeError<Refusal>) -> Self {
        let unavailable = match error.into_refusal() {
            Ok(Refusal::Declined(_)) => return Self::Declined,
            Ok(Refusal::Cancelled(_)) => return Self::Cancelled,
            Ok(Refusal::NotRequested(error)) => no_answer(error, Effect::None),
            Ok(Refusal::OutcomeUnknown(error)) => no_answer(error, Effect::Unknown),
            // Only a query by number finds a payment unknown.
            Ok(Refusal::Unknown(_)) => {
                no_answer(GatewayError::new("unknown payment"), Effect::None)
            }
            Err(unavailable) => unavailable,
        };
        Self::Unavailable(unavailable.into())
    }
}

impl From<ChangeError<Infallible>> for wit::CancellationError {
    fn from(error: ChangeError<Infallible>) -> Self {
        Self::Unavailable(Unavailable::from(error).into())
    }
}

impl From<ChangeError<Infallible>> for wit::QueryError {
    fn from(error: ChangeError<Infallible>) -> Self {
        Self::Unavailable(Unavailable::from(error).into())
    }
}

/// The gateway of this context gave no usable answer.
pub(super) fn no_answer(error: GatewayError, effect: Effect) -> Unavailable {
    Unavailable {
        effect,
        // The host sees by it that the gateway failed, and not this context.
        retry_after: Some(error.seconds_until_retry()),
        message: error.message,
    }
}

//! `socar:customer-payments/approvals`: what the reservation context asks of this one on behalf of a customer.

use super::{
    Component, approvals::no_answer, bindings::exports::socar::customer_payments::approvals as wit,
    ports,
};
use crate::{
    commands,
    domain::{GatewayError, Order, Refusal},
};
use events::{CarId, CustomerId, ReservationId};
use kit::{ChangeError, Effect, spin::calls::types};

impl wit::Guest for Component {
    async fn approve(
        origin: types::Origin,
        reservation: wit::ReservationId,
        car: wit::CarId,
        amount: wit::Won,
        customer: wit::CustomerId,
    ) -> Result<wit::PaymentId, wit::ApprovalError> {
        let ports = ports().await;
        let origin = origin.received(&ports.platform).with_actor(Some(&customer));
        let order = Order {
            reservation: ReservationId(reservation),
            car: CarId(car),
            amount,
            customer: Some(CustomerId(customer)),
        };
        let payment = commands::approve(&ports, &origin, order).await?;
        let receipt = payment.state.receipt();
        let number = receipt.map(|receipt| receipt.id.0);
        number.ok_or(wit::ApprovalError::Cancelled)
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

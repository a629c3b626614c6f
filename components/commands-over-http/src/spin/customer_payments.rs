//! `socar:customer-payments/approvals` over HTTP.

use super::{
    Component, approvals::PAYMENT, bindings::exports::socar::customer_payments::approvals as wit,
    guarded::guarded,
};
use crate::approvals::{ApprovalRefusal, parse_approval};
use events::ReservationId;
use http::Method;
use kit::{Unavailable, spin::calls::types};
use serde_json::json;

impl wit::Guest for Component {
    async fn approve(
        origin: types::Origin,
        reservation: wit::ReservationId,
        car: wit::CarId,
        amount: wit::Won,
        customer: wit::CustomerId,
    ) -> Result<wit::PaymentId, wit::ApprovalError> {
        let id = ReservationId(reservation);
        let order = json!({
            "rsvId": id, "carId": car, "amount": amount, "customerId": customer,
        });
        let order = order.to_string();
        let response = PAYMENT.send(&origin, Method::POST, "/internal/payments", order);
        let answer = guarded(&PAYMENT, response, |approved| parse_approval(id, approved));
        Ok(answer.await??.0)
    }
}

impl From<ApprovalRefusal> for wit::ApprovalError {
    fn from(refusal: ApprovalRefusal) -> Self {
        match refusal {
            ApprovalRefusal::Declined => Self::Declined,
            ApprovalRefusal::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Unavailable> for wit::ApprovalError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable.into())
    }
}

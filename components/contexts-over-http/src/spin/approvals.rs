//! `socar:payment/approvals` over HTTP.

use super::{
    Component,
    bindings::exports::socar::payment::approvals as wit,
    remote::{Call, Remote},
};
use crate::approvals::{ApprovalRefusal, parse_approval, parse_cancellation, parse_paid_payment};
use events::ReservationId;
use http::Method;
use kit::{Unavailable, spin::calls::types};
use serde_json::json;
use std::time::Duration;

/// The timeout is longer than the payment context's own timeout of its gateway (1.5 s).
const PAYMENT: Remote = Remote {
    name: "payment",
    url_variable: "payment_url",
    timeout: Duration::from_millis(2500),
};

impl wit::Guest for Component {
    async fn approve(
        origin: types::Origin,
        reservation: wit::ReservationId,
        car: wit::CarId,
        amount: wit::Won,
    ) -> Result<wit::PaymentId, wit::ApprovalError> {
        let call = Call {
            origin: &origin,
            method: Method::POST,
            path: "/internal/payments".into(),
            body: json!({ "rsvId": reservation, "carId": car, "amount": amount }).to_string(),
        };
        let id = ReservationId(reservation);
        let answer = PAYMENT.call(call, |response| parse_approval(id, response));
        Ok(answer.await??.0)
    }

    async fn cancel(
        origin: types::Origin,
        reservation: wit::ReservationId,
    ) -> Result<(), wit::CancellationError> {
        let id = ReservationId(reservation);
        let call = about(&origin, Method::DELETE, id);
        let answer = PAYMENT.call(call, |response| parse_cancellation(id, response));
        Ok(answer.await?)
    }

    async fn paid_payment(
        origin: types::Origin,
        reservation: wit::ReservationId,
    ) -> Result<Option<wit::PaymentId>, wit::QueryError> {
        let id = ReservationId(reservation);
        let call = about(&origin, Method::GET, id);
        let answer = PAYMENT.call(call, |response| parse_paid_payment(id, response));
        Ok(answer.await?.map(|payment| payment.0))
    }
}

fn about(origin: &types::Origin, method: Method, id: ReservationId) -> Call<'_> {
    Call {
        origin,
        method,
        path: format!("/internal/payments/{id}"),
        body: String::new(),
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

impl From<Unavailable> for wit::CancellationError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable.into())
    }
}

impl From<Unavailable> for wit::QueryError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable.into())
    }
}

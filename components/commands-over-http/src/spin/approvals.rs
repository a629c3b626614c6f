//! `socar:payment/approvals` over HTTP.

use super::{Component, bindings::exports::socar::payment::approvals as wit, guarded::guarded};
use crate::approvals::{ApprovalRefusal, parse_approval, parse_cancellation, parse_paid_payment};
use events::ReservationId;
use http::Method;
use kit::{
    Unavailable,
    http::Response,
    spin::{RemoteContext, calls::types},
};
use serde_json::json;
use std::time::Duration;

/// The timeout is longer than the payment context's own timeout of its gateway (1.5 s).
pub(super) const PAYMENT: RemoteContext = RemoteContext {
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
        let id = ReservationId(reservation);
        let order = json!({ "rsvId": id, "carId": car, "amount": amount }).to_string();
        let response = PAYMENT.send(&origin, Method::POST, "/internal/payments", order);
        let answer = guarded(&PAYMENT, response, |approved| parse_approval(id, approved));
        Ok(answer.await??.0)
    }

    async fn cancel(
        origin: types::Origin,
        reservation: wit::ReservationId,
    ) -> Result<(), wit::CancellationError> {
        let id = ReservationId(reservation);
        let response = send_about(&origin, Method::DELETE, id);
        let answer = guarded(&PAYMENT, response, |cancelled| {
            parse_cancellation(id, cancelled)
        });
        Ok(answer.await?)
    }

    async fn paid_payment(
        origin: types::Origin,
        reservation: wit::ReservationId,
    ) -> Result<Option<wit::PaymentId>, wit::QueryError> {
        let id = ReservationId(reservation);
        let response = send_about(&origin, Method::GET, id);
        let answer = guarded(&PAYMENT, response, |payment| {
            parse_paid_payment(id, payment)
        });
        Ok(answer.await?.map(|payment| payment.0))
    }
}

async fn send_about(
    origin: &types::Origin,
    method: Method,
    id: ReservationId,
) -> Result<Response, Unavailable> {
    let path = format!("/internal/payments/{id}");
    PAYMENT.send(origin, method, &path, String::new()).await
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

//! The payment context over HTTP.

use super::remote::Remote;
use crate::{
    ports::{ApprovalOutcome, Payments},
    responses,
};
use ::http::Method;
use events::{CarId, PaymentId, ReservationId};
use kit::{Origin, Unavailable};
use serde_json::json;
use std::time::Duration;

/// The timeout is longer than the payment context's own timeout of its gateway (1.5 s).
const PAYMENT: Remote = Remote {
    name: "payment",
    url_variable: "payment_url",
    timeout: Duration::from_millis(2500),
};

pub(super) struct SpinPayments;

impl Payments for SpinPayments {
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
    ) -> Result<ApprovalOutcome, Unavailable> {
        let body = json!({ "rsvId": id, "carId": car, "amount": amount }).to_string();
        let path = "/internal/payments";
        let response = PAYMENT.call(origin, Method::POST, path, body).await?;
        responses::parse_approval(id, &response)
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unavailable> {
        let path = format!("/internal/payments/{id}");
        let body = String::new();
        let response = PAYMENT.call(origin, Method::DELETE, &path, body).await?;
        responses::parse_cancellation(id, &response)
    }

    async fn paid_payment(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unavailable> {
        let path = format!("/internal/payments/{id}");
        let body = String::new();
        let response = PAYMENT.call(origin, Method::GET, &path, body).await?;
        responses::parse_paid_payment(id, &response)
    }
}

//! The payment context, called over HTTP: in-process by service chaining, or wherever `payment_url`
//! says.

use super::silent;
use crate::{
    answers,
    ports::{Approval, Payments, Unreachable},
};
use ::http::Method;
use events::{CarId, PaymentId, ReservationId};
use kit::{
    Origin,
    http::Response,
    spin::{HttpClient, variable},
};
use serde_json::json;
use std::time::Duration;

/// How long the payment context may take: a little longer than it gives its gateway.
const LIMIT: Duration = Duration::from_millis(2500);

pub(super) struct SpinPayments;

impl Payments for SpinPayments {
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
    ) -> Result<Approval, Unreachable> {
        let body = json!({ "rsvId": id, "carId": car, "amount": amount }).to_string();
        let answer = call(origin, Method::POST, "", body).await?;
        answers::to_approval(id, &answer)
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unreachable> {
        let answer = call(origin, Method::DELETE, &format!("/{id}"), String::new()).await?;
        answers::to_cancel(id, &answer)
    }

    async fn outcome(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unreachable> {
        let answer = call(origin, Method::GET, &format!("/{id}"), String::new()).await?;
        answers::to_question(id, &answer)
    }
}

async fn call(
    origin: &Origin,
    method: Method,
    path: &str,
    body: String,
) -> Result<Response, Unreachable> {
    let url = format!("{}/internal/payments{path}", variable("payment_url").await);
    HttpClient::new(LIMIT)
        .call(method, &url, &origin.headers(), body)
        .await
        .map_err(|error| silent("payment", &error))
}

//! The payment context, called over HTTP: in-process by service chaining, or wherever `payment_url`
//! says.

use super::{senseless, silent};
use crate::ports::{Aftermath, Approval, Payments, Unreachable};
use ::http::Method;
use events::{CarId, PaymentId, ReservationId};
use kit::{
    Origin,
    http::Response,
    spin::{Client, variable},
};
use serde_json::{Value, json};
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
        match answer.status().as_u16() {
            200 | 201 => Ok(Approval::Paid(
                payment(&answer)?.ok_or_else(|| senseless("payment", &answer))?,
            )),
            402 => Ok(Approval::Declined),
            503 if was_nobody_asked(&answer) => Err(Unreachable {
                aftermath: Aftermath::Nothing,
                ..senseless("payment", &answer)
            }),
            _ => Err(senseless("payment", &answer)),
        }
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unreachable> {
        let answer = call(origin, Method::DELETE, &format!("/{id}"), String::new()).await?;
        match answer.status().as_u16() {
            200 => Ok(()),
            _ => Err(senseless("payment", &answer)),
        }
    }

    async fn outcome(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unreachable> {
        let answer = call(origin, Method::GET, &format!("/{id}"), String::new()).await?;
        match answer.status().as_u16() {
            200 => payment(&answer),
            _ => Err(senseless("payment", &answer)),
        }
    }
}

/// Whether the payment context says that it has asked nobody for money.
fn was_nobody_asked(answer: &Response) -> bool {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    body["type"] == "https://socar.dev/problems/payment-not-asked"
}

/// The payment of an answer that says `paid`.
fn payment(answer: &Response) -> Result<Option<PaymentId>, Unreachable> {
    let body: Value =
        serde_json::from_slice(answer.body()).map_err(|_| senseless("payment", answer))?;
    match body["status"].as_str() {
        Some("paid") => Ok(body["payId"].as_u64().map(PaymentId)),
        Some(_) => Ok(None),
        None => Err(senseless("payment", answer)),
    }
}

async fn call(
    origin: &Origin,
    method: Method,
    path: &str,
    body: String,
) -> Result<Response, Unreachable> {
    let url = format!("{}/internal/payments{path}", variable("payment_url").await);
    Client::new(LIMIT)
        .call(method, &url, &origin.headers(), body)
        .await
        .map_err(|error| silent("payment", &error))
}

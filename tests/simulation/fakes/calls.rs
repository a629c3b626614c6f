//! Fakes of the ports to other contexts: the same HTTP requests as the Spin adapters send, handled by the code of
//! the called context in a task of its own.

use crate::{context::ContextId, mutation::Mutation, request::request, world::World};
use events::{CarId, PaymentId, ReservationId};
use http::Method;
use kit::{Effect, Origin, Unavailable, http::Response};
use reservation::ports::{ApprovalOutcome, Cars, HoldOutcome, Payments, ReleaseOutcome};
use serde_json::{Value, json};
use std::rc::Rc;

/// The timeouts of the Spin adapters for the car and the payment context, in milliseconds.
const CAR_TIMEOUT_MS: u64 = 1_500;
const PAYMENT_TIMEOUT_MS: u64 = 2_500;

/// The problem type by which payment reports that it has sent no request to the gateway.
const PAYMENT_NOT_SENT: &str = "https://socar.dev/problems/payment-not-asked";

/// The car context, as the reservation context calls it.
pub struct FakeCars(pub Rc<World>);

impl Cars for FakeCars {
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<HoldOutcome, Unavailable> {
        let response = self.post(origin, car, "hold", id).await?;
        match response.status().as_u16() {
            200 => match body(&response)["amount"].as_u64() {
                Some(amount) => Ok(HoldOutcome::Held { amount }),
                None => Err(unexpected_response(&response)),
            },
            404 => Ok(HoldOutcome::UnknownCar),
            409 => Ok(HoldOutcome::NotAvailable),
            _ => Err(unexpected_response(&response)),
        }
    }

    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, Unavailable> {
        if self.0.has_mutation(Mutation::KeepsRejectedHold) {
            return Ok(ReleaseOutcome::Released);
        }
        let response = self.post(origin, car, "release", id).await?;
        if self.0.has_mutation(Mutation::ReleasesHoldTwice) {
            let holder = self.0.oracle.borrow().holder(car, id);
            self.post(origin, car, "release", holder).await?;
        }
        match response.status().as_u16() {
            200 => Ok(ReleaseOutcome::Released),
            404 => Ok(ReleaseOutcome::UnknownCar),
            _ => Err(unexpected_response(&response)),
        }
    }
}

impl FakeCars {
    async fn post(
        &self,
        origin: &Origin,
        car: CarId,
        command: &str,
        id: ReservationId,
    ) -> Result<Response, Unavailable> {
        let path = format!("/internal/cars/{car}/{command}");
        let body = json!({ "rsvId": id }).to_string();
        let request = request(Method::POST, &path, &origin.headers(), &body);
        let response = self.0.call(ContextId::Car, request, CAR_TIMEOUT_MS).await;
        response.ok_or_else(no_reply)
    }
}

/// The payment context, as the reservation context calls it.
pub struct FakePayments(pub Rc<World>);

impl Payments for FakePayments {
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
    ) -> Result<ApprovalOutcome, Unavailable> {
        let order = json!({ "rsvId": id, "carId": car, "amount": amount }).to_string();
        let response = self.call(origin, Method::POST, "", &order).await?;
        match response.status().as_u16() {
            200 | 201 => Ok(ApprovalOutcome::Paid(
                payment(&response)?.ok_or_else(|| unexpected_response(&response))?,
            )),
            402 => Ok(ApprovalOutcome::Declined),
            503 if body(&response)["type"] == PAYMENT_NOT_SENT => Err(Unavailable {
                effect: Effect::None,
                ..unexpected_response(&response)
            }),
            _ => Err(unexpected_response(&response)),
        }
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unavailable> {
        let path = format!("/{id}");
        let response = self.call(origin, Method::DELETE, &path, "").await?;
        match response.status().as_u16() {
            200 => Ok(()),
            _ => Err(unexpected_response(&response)),
        }
    }

    async fn paid_payment(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unavailable> {
        let response = self
            .call(origin, Method::GET, &format!("/{id}"), "")
            .await?;
        match response.status().as_u16() {
            200 => payment(&response),
            _ => Err(unexpected_response(&response)),
        }
    }
}

impl FakePayments {
    async fn call(
        &self,
        origin: &Origin,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<Response, Unavailable> {
        let path = format!("/internal/payments{path}");
        let request = request(method, &path, &origin.headers(), body);
        let response = self
            .0
            .call(ContextId::Payment, request, PAYMENT_TIMEOUT_MS)
            .await;
        response.ok_or_else(no_reply)
    }
}

/// The payment id of a response with the status `paid`.
fn payment(response: &Response) -> Result<Option<PaymentId>, Unavailable> {
    let body = body(response);
    match body["status"].as_str() {
        Some("paid") => Ok(body["payId"].as_u64().map(PaymentId)),
        Some(_) => Ok(None),
        None => Err(unexpected_response(response)),
    }
}

/// The JSON body of a response.
pub fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_default()
}

fn unexpected_response(response: &Response) -> Unavailable {
    Unavailable {
        message: format!("answered {}", response.status()),
        retry_after: None,
        effect: Effect::Unknown,
    }
}

fn no_reply() -> Unavailable {
    Unavailable {
        message: "no reply".into(),
        retry_after: None,
        effect: Effect::TimedOut,
    }
}

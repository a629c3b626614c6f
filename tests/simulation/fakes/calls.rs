//! Fakes of the ports to other contexts: the same HTTP requests as the adapter of stock Spin sends, handled by the code of
//! the called context in a task of its own, and the same reading of the responses.

use crate::{context::ContextId, mutation::Mutation, request::request, world::World};
use commands_over_http::{
    approvals::{ApprovalRefusal, parse_approval, parse_cancellation, parse_paid_payment},
    holds::{HoldRefusal, UnknownCar, parse_hold, parse_release},
};
use events::{CarId, CustomerId, PaymentId, ReservationId};
use http::Method;
use kit::{Effect, Origin, Unavailable, http::Response};
use reservation::ports::{ApprovalOutcome, Cars, HoldOutcome, Payments, ReleaseOutcome};
use serde_json::json;
use std::rc::Rc;

/// The timeouts of the adapters for the car and the payment context, in milliseconds.
const CAR_TIMEOUT_MS: u64 = 1_500;
const PAYMENT_TIMEOUT_MS: u64 = 2_500;

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
        Ok(match parse_hold(car, &response)? {
            Ok(amount) => HoldOutcome::Held { amount },
            Err(HoldRefusal::NotAvailable) => HoldOutcome::NotAvailable,
            Err(HoldRefusal::UnknownCar) => HoldOutcome::UnknownCar,
        })
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
        Ok(match parse_release(car, &response)? {
            Ok(()) => ReleaseOutcome::Released,
            Err(UnknownCar) => ReleaseOutcome::UnknownCar,
        })
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
        customer: Option<&CustomerId>,
    ) -> Result<ApprovalOutcome, Unavailable> {
        let order = json!({
            "rsvId": id, "carId": car, "amount": amount, "customerId": customer,
        });
        let order = order.to_string();
        let response = self.call(origin, Method::POST, "", &order).await?;
        match parse_approval(id, &response)? {
            Ok(payment) => Ok(ApprovalOutcome::Paid(payment)),
            Err(ApprovalRefusal::Declined) => Ok(ApprovalOutcome::Declined),
            Err(ApprovalRefusal::Cancelled) => Err(Unavailable {
                message: "the payment was cancelled before".into(),
                retry_after: None,
                effect: Effect::Unknown,
            }),
        }
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unavailable> {
        let path = format!("/{id}");
        let response = self.call(origin, Method::DELETE, &path, "").await?;
        parse_cancellation(id, &response)
    }

    async fn paid_payment(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unavailable> {
        let response = self
            .call(origin, Method::GET, &format!("/{id}"), "")
            .await?;
        parse_paid_payment(id, &response)
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

fn no_reply() -> Unavailable {
    Unavailable {
        message: "no reply".into(),
        retry_after: None,
        effect: Effect::TimedOut,
    }
}

//! The payment context over HTTP: `/payments` for people, who may look, and `/internal/payments`
//! for the reservation context.

use crate::{
    Payments, commands,
    domain::{Order, Payment, Refusal},
    ports::Gateway,
    queries::{self, Row},
    sweep,
};
use ::http::{Method, StatusCode};
use events::{CarId, PaymentId, ReservationId};
use kit::{
    Origin, Platform,
    http::{self, Problem, Request, Response, Route, etag, hal, json::Fields, paging::Page},
};
use serde_json::{Value, json};

enum Resource {
    Payments,
    Payment(PaymentId),
    Approvals,
    Outcome(ReservationId),
    Sweep,
}

/// Answers one request.
pub async fn answer<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    request: Request,
) -> Response {
    http::serve(request, route, async |resource, request| {
        let origin = Origin::from_headers(request.headers(), &payments.platform.unique_id());
        let call = Call {
            payments,
            origin,
            request,
        };
        match (resource, call.request.method()) {
            (Resource::Payments, _) => call.list().await,
            (Resource::Payment(id), _) => call.show(id).await,
            (Resource::Approvals, _) => call.approve().await,
            (Resource::Outcome(id), &Method::DELETE) => call.cancel(id).await,
            (Resource::Outcome(id), _) => call.outcome(id).await,
            (Resource::Sweep, _) => call.sweep().await,
        }
    })
    .await
}

fn route(path: &[&str]) -> Option<Route<Resource>> {
    const LOOK: &[Method] = &[Method::GET];
    const COMMAND: &[Method] = &[Method::POST];
    const OUTCOME: &[Method] = &[Method::GET, Method::DELETE];
    let (resource, methods) = match *path {
        ["payments"] => (Resource::Payments, LOOK),
        ["payments", id] => (Resource::Payment(id.parse().ok()?), LOOK),
        ["internal", "payments"] => (Resource::Approvals, COMMAND),
        ["internal", "payments", id] => (Resource::Outcome(id.parse().ok()?), OUTCOME),
        ["internal", "sweep"] => (Resource::Sweep, COMMAND),
        _ => return None,
    };
    Some(Route { resource, methods })
}

/// One request on its way.
struct Call<'a, P, G> {
    payments: &'a Payments<P, G>,
    origin: Origin,
    request: Request,
}

impl<P: Platform, G: Gateway> Call<'_, P, G> {
    async fn show(&self, id: PaymentId) -> Result<Response, Problem> {
        let row = queries::payment(self.payments, id).await?;
        Ok(etag::tagged(hal::found(&self.item(&row)), row.version))
    }

    async fn list(&self) -> Result<Response, Problem> {
        let page = Page::without_filters(&self.request, &queries::COLUMNS)?;
        let (rows, total) = queries::payments(self.payments, &page).await?;
        let items = rows.iter().map(|row| self.item(row)).collect();
        let base = http::base_url(&self.request);
        Ok(hal::page(
            &page,
            total,
            &base,
            "/payments",
            "payments",
            items,
        ))
    }

    async fn approve(&self) -> Result<Response, Problem> {
        let order = self.order()?;
        let payment = commands::approve(self.payments, &self.origin, order).await?;
        Ok(said(order.reservation, Some(payment.state)))
    }

    async fn cancel(&self, id: ReservationId) -> Result<Response, Problem> {
        let payment = commands::cancel::<P, G, Problem>(self.payments, &self.origin, id).await?;
        Ok(said(id, Some(payment.state)))
    }

    async fn outcome(&self, id: ReservationId) -> Result<Response, Problem> {
        Ok(said(id, queries::outcome(self.payments, id).await?))
    }

    async fn sweep(&self) -> Result<Response, Problem> {
        let swept = sweep::sweep(self.payments)
            .await
            .map_err(|silence| Problem::unavailable(silence, 5))?;
        Ok(hal::found(&json!({
            "published": swept.outbox.published,
            "forgotten": swept.outbox.discarded,
            "settled": swept.settled,
            "open": swept.open,
            "retired": swept.retired,
        })))
    }

    fn order(&self) -> Result<Order, Problem> {
        let mut fields = Fields::from_request(&self.request)?;
        let mut required = |field: &str, least: u64| {
            if !fields.has(field) {
                fields.reject(field, "is required");
            }
            fields.number(field, least, u64::MAX).unwrap_or_default()
        };
        let order = Order {
            reservation: ReservationId(required("rsvId", 1)),
            car: CarId(required("carId", 1)),
            amount: required("amount", 0),
        };
        fields.finish()?;
        Ok(order)
    }

    fn item(&self, row: &Row) -> Value {
        let id = row.receipt.id;
        let order = row.receipt.order;
        hal::item(
            json!({
                "payId": id,
                "rsvId": order.reservation,
                "carId": order.car,
                "amount": order.amount,
                "status": row.status,
            }),
            &http::base_url(&self.request),
            &format!("/payments/{id}"),
            "payment",
        )
    }
}

/// What the reservation context is told: `paid`, `cancelled` or `none`.
fn said(id: ReservationId, payment: Option<Payment>) -> Response {
    let mut body = json!({
        "rsvId": id,
        "status": payment.map_or("none", |payment| payment.outcome()),
    });
    if let Some(receipt) = payment.as_ref().and_then(Payment::receipt) {
        body["payId"] = json!(receipt.id);
        body["carId"] = json!(receipt.order.car);
        body["amount"] = json!(receipt.order.amount);
    }
    hal::found(&body)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(id) => Self::not_found(format!("there is no payment {id}")),
            Refusal::Cancelled(id) => Self::conflict(
                "payment-cancelled",
                "The payment was cancelled",
                format!("the payment of reservation {id} was given up; make a new reservation"),
            ),
            Refusal::Declined(order) => Self::new(
                StatusCode::PAYMENT_REQUIRED,
                "payment-declined",
                "The payment was declined",
                format!("{} won for car {} were declined", order.amount, order.car),
            ),
            Refusal::NotAsked(silence) => {
                let retry_after = silence.retry_after.unwrap_or(RETRY_AFTER);
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "payment-not-asked",
                    "Nobody was asked for the money",
                    silence.why,
                )
                .retry_after(retry_after)
            }
            Refusal::Unresolved(silence) => {
                let retry_after = silence.retry_after.unwrap_or(RETRY_AFTER);
                Self::unavailable(silence.why, retry_after)
            }
        }
    }
}

/// Seconds after which a gateway may answer that has not said when.
const RETRY_AFTER: u64 = 2;

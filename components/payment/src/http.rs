//! The payment context over HTTP: `/payments` for clients, read only, and `/internal/payments` for the reservation
//! context.

use crate::{
    commands,
    domain::{Order, Payment, Refusal},
    ports::{Gateway, PaymentPorts},
    queries::{self, PaymentRow},
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
    ports: &PaymentPorts<P, G>,
    request: Request,
) -> Response {
    http::serve(request, route, async |resource, request| {
        let origin = Origin::from_headers(request.headers(), &ports.platform.unique_id());
        let call = Call {
            ports,
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

/// One request and the ports that serve it.
struct Call<'a, P, G> {
    ports: &'a PaymentPorts<P, G>,
    origin: Origin,
    request: Request,
}

impl<P: Platform, G: Gateway> Call<'_, P, G> {
    async fn show(&self, id: PaymentId) -> Result<Response, Problem> {
        let row = queries::payment(self.ports, id).await?;
        Ok(etag::tagged(hal::found(&self.item(&row)), row.version))
    }

    async fn list(&self) -> Result<Response, Problem> {
        let page = Page::without_filters(&self.request, &queries::COLUMNS)?;
        let (rows, total) = queries::payments(self.ports, &page).await?;
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
        let payment = commands::approve(self.ports, &self.origin, order).await?;
        Ok(outcome_response(order.reservation, Some(payment.state)))
    }

    async fn cancel(&self, id: ReservationId) -> Result<Response, Problem> {
        let payment = commands::cancel::<P, G, Problem>(self.ports, &self.origin, id).await?;
        Ok(outcome_response(id, Some(payment.state)))
    }

    async fn outcome(&self, id: ReservationId) -> Result<Response, Problem> {
        Ok(outcome_response(
            id,
            queries::payment_of(self.ports, id).await?,
        ))
    }

    async fn sweep(&self) -> Result<Response, Problem> {
        let summary = sweep::sweep(self.ports)
            .await
            .map_err(|error| Problem::unavailable(error, 5))?;
        Ok(hal::found(&json!({
            "published": summary.outbox.published,
            "forgotten": summary.outbox.discarded,
            "settled": summary.settled,
            "open": summary.open,
            "retired": summary.retired,
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

    fn item(&self, row: &PaymentRow) -> Value {
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

/// The payment as reported to the reservation context: `paid`, `cancelled` or `none`.
fn outcome_response(id: ReservationId, payment: Option<Payment>) -> Response {
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
            Refusal::NotRequested(error) => {
                let retry_after = error.retry_after.unwrap_or(RETRY_AFTER);
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "payment-not-asked",
                    "The gateway was not called",
                    error.message,
                )
                .retry_after(retry_after)
            }
            Refusal::OutcomeUnknown(error) => {
                let retry_after = error.retry_after.unwrap_or(RETRY_AFTER);
                Self::unavailable(error.message, retry_after)
            }
        }
    }
}

/// Seconds until a retry when the gateway named no time.
const RETRY_AFTER: u64 = 2;

//! The operations of the HTTP surface: a parsed request in, a command or query, a response out.

use crate::{
    commands,
    domain::{Order, Payment},
    ports::{Gateway, PaymentPorts},
    queries::{self, PaymentRow},
    sweep,
};
use events::{CarId, PaymentId, ReservationId};
use kit::{
    Origin, Platform,
    http::{Problem, Request, Response, base_url, etag, hal, json::Fields, paging::Page},
};
use serde_json::{Value, json};

/// One request and the ports that serve it.
pub(super) struct Handler<'a, P, G> {
    ports: &'a PaymentPorts<P, G>,
    origin: Origin,
    request: &'a Request,
}

impl<'a, P: Platform, G: Gateway> Handler<'a, P, G> {
    pub(super) fn new(ports: &'a PaymentPorts<P, G>, request: &'a Request) -> Self {
        Self {
            ports,
            origin: Origin::from_headers(request.headers(), &ports.platform.unique_id()),
            request,
        }
    }

    pub(super) async fn show(&self, id: PaymentId) -> Result<Response, Problem> {
        let row = queries::payment(self.ports, id).await?;
        Ok(etag::tagged(hal::found(&self.item(&row)), row.version))
    }

    pub(super) async fn list(&self) -> Result<Response, Problem> {
        let page = Page::without_filters(self.request, &queries::COLUMNS)?;
        let (rows, total) = queries::payments(self.ports, &page).await?;
        let items = rows.iter().map(|row| self.item(row)).collect();
        let base = base_url(self.request);
        Ok(hal::page(
            &page,
            total,
            &base,
            "/payments",
            "payments",
            items,
        ))
    }

    pub(super) async fn approve(&self) -> Result<Response, Problem> {
        let order = self.order()?;
        let payment = commands::approve(self.ports, &self.origin, order).await?;
        Ok(outcome_response(order.reservation, Some(payment.state)))
    }

    pub(super) async fn cancel(&self, id: ReservationId) -> Result<Response, Problem> {
        let payment = commands::cancel::<P, G, Problem>(self.ports, &self.origin, id).await?;
        Ok(outcome_response(id, Some(payment.state)))
    }

    pub(super) async fn outcome(&self, id: ReservationId) -> Result<Response, Problem> {
        let payment = queries::payment_of::<_, _, Problem>(self.ports, id).await?;
        Ok(outcome_response(id, payment))
    }

    pub(super) async fn sweep(&self) -> Result<Response, Problem> {
        let summary = sweep::sweep(self.ports).await?;
        Ok(hal::found(&json!({
            "published": summary.outbox.published,
            "forgotten": summary.outbox.discarded,
            "settled": summary.settled,
            "open": summary.open,
            "repeated": summary.repeated,
            "retired": summary.retired,
        })))
    }

    fn order(&self) -> Result<Order, Problem> {
        let mut fields = Fields::from_request(self.request)?;
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
        let fields = json!({
            "payId": id,
            "rsvId": order.reservation,
            "carId": order.car,
            "amount": order.amount,
            "status": row.status,
        });
        let base = base_url(self.request);
        hal::item(fields, &base, &format!("/payments/{id}"), "payment")
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

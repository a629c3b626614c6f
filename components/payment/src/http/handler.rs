//! The operations of the HTTP surface: a parsed request in, a command or query, a response out.

use crate::{
    authorization, commands,
    domain::{Order, Payment, Refusal},
    ports::{Gateway, PaymentPorts},
    queries::{self, PaymentRow},
    sweep,
};
use events::{CarId, CustomerId, PaymentId, ReservationId};
use kit::{
    Origin, Platform, Principal,
    http::{
        Problem, Request, Response, base_url, etag,
        hal::{self, Item},
        json::Fields,
        paging::Page,
    },
};
use serde::Serialize;
use serde_json::json;

/// The longest name of a customer.
const MAX_SUBJECT: usize = 255;

/// One request and the ports that serve it.
pub(super) struct Handler<'a, P, G> {
    ports: &'a PaymentPorts<P, G>,
    origin: Origin,
    principal: Principal,
    request: &'a Request,
    /// The start of every link.
    base: String,
}

/// The fields of a payment.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Payment")
)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentFields<'a> {
    pay_id: PaymentId,
    rsv_id: ReservationId,
    car_id: CarId,
    amount: u64,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["paid", "cancelled"])))]
    status: &'static str,
    /// The customer, for those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a CustomerId>,
}

impl<'a, P: Platform, G: Gateway> Handler<'a, P, G> {
    pub(super) fn new(ports: &'a PaymentPorts<P, G>, request: &'a Request) -> Self {
        Self {
            ports,
            origin: Origin::from_headers(request.headers(), &ports.platform.unique_id()),
            principal: Principal::from_headers(request.headers()),
            request,
            base: base_url(request),
        }
    }

    pub(super) async fn show(&self, id: PaymentId) -> Result<Response, Problem> {
        let row = queries::payment(self.ports, id).await?;
        let access = authorization::see(&self.principal, row.receipt.order.customer.as_ref());
        access.require("to see a payment", || Refusal::Unknown(id).into())?;
        Ok(etag::tagged(hal::found(&self.item(&row)), row.version))
    }

    pub(super) async fn list(&self) -> Result<Response, Problem> {
        let access = authorization::list(&self.principal);
        access.require("to list payments", || {
            Problem::not_found("there are no payments")
        })?;
        let page = Page::without_filters(self.request, &queries::COLUMNS)?;
        let (rows, total) = match self.principal.customer() {
            Some(customer) => queries::payments_of_customer(self.ports, customer, &page).await?,
            None => queries::payments(self.ports, &page).await?,
        };
        let items: Vec<_> = rows.iter().map(|row| self.item(row)).collect();
        Ok(hal::page(
            &page,
            total,
            &self.base,
            "/payments",
            "payments",
            &items,
        ))
    }

    pub(super) async fn approve(&self) -> Result<Response, Problem> {
        let order = self.order()?;
        let reservation = order.reservation;
        // The sender is a context of the platform, which acts for the customer.
        let customer = order.customer.as_ref().map(|customer| customer.0.as_str());
        let origin = self.origin.clone().with_actor(customer);
        let payment = commands::approve(self.ports, &origin, order).await?;
        Ok(outcome_response(reservation, Some(payment.state)))
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
            customer: None,
        };
        let has_customer = !fields.take_null("customerId") && fields.has("customerId");
        let customer = has_customer.then(|| fields.text("customerId", 1, MAX_SUBJECT));
        fields.finish()?;
        Ok(Order {
            customer: customer.flatten().map(CustomerId),
            ..order
        })
    }

    fn item<'r>(&self, row: &'r PaymentRow) -> Item<PaymentFields<'r>> {
        let id = row.receipt.id;
        let order = &row.receipt.order;
        let fields = PaymentFields {
            pay_id: id,
            rsv_id: order.reservation,
            car_id: order.car,
            amount: order.amount,
            status: row.status,
            customer_id: self.principal.shown(order.customer.as_ref()),
        };
        hal::item(fields, &self.base, &format!("/payments/{id}"), "payment")
    }
}

/// The payment as reported to the reservation context: `paid`, `cancelled` or `none`.
fn outcome_response(id: ReservationId, payment: Option<Payment>) -> Response {
    let mut body = json!({
        "rsvId": id,
        "status": payment.as_ref().map_or("none", Payment::outcome),
    });
    if let Some(receipt) = payment.as_ref().and_then(Payment::receipt) {
        body["payId"] = json!(receipt.id);
        body["carId"] = json!(receipt.order.car);
        body["amount"] = json!(receipt.order.amount);
    }
    hal::found(&body)
}

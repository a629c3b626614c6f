//! The payment context over HTTP: `/payments` for clients, read only, and `/internal/payments` for the reservation
//! context.

mod handler;
mod problems;

use crate::ports::{Gateway, PaymentPorts};
use ::http::Method;
use handler::Handler;
use kit::{
    Platform,
    http::{Request, Response, ResponseFuture, serve},
};

/// Handles one request.
pub async fn handle<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    request: Request,
) -> Response {
    let handler = Handler::new(ports, &request);
    serve(&request, |method, path| route(&handler, method, path)).await
}

/// The routes, one line per operation.
fn route<'a, P: Platform, G: Gateway>(
    handler: &'a Handler<'_, P, G>,
    method: &Method,
    path: &[&str],
) -> Option<ResponseFuture<'a>> {
    Some(match (method.as_str(), path) {
        ("GET", ["payments"]) => Box::pin(handler.list()),
        ("GET", ["payments", id]) => Box::pin(handler.show(id.parse().ok()?)),
        ("POST", ["internal", "payments"]) => Box::pin(handler.approve()),
        ("GET", ["internal", "payments", id]) => Box::pin(handler.outcome(id.parse().ok()?)),
        ("DELETE", ["internal", "payments", id]) => Box::pin(handler.cancel(id.parse().ok()?)),
        ("POST", ["internal", "sweep"]) => Box::pin(handler.sweep()),
        _ => return None,
    })
}

/// The JSON schema of a payment, for the documents of the API.
#[cfg(feature = "schema")]
pub fn schema(generator: schemars::SchemaGenerator) -> schemars::Schema {
    generator.into_root_schema_for::<handler::PaymentFields<'static>>()
}

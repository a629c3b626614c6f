//! The reservation context over HTTP: `/reservations` for customers, `/internal/sweep` for the host.

mod body;
mod fields;
mod filter;
mod handler;
mod problems;
mod reserve;

use crate::ports::{Cars, Payments, ReservationPorts};
use ::http::Method;
use handler::Handler;
use kit::{
    Platform,
    http::{Request, Response, ResponseFuture, serve},
};

/// Handles one request.
pub async fn handle<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    request: Request,
) -> Response {
    let handler = Handler::new(ports, &request);
    serve(&request, |method, path| route(&handler, method, path)).await
}

/// The routes, one line per operation.
fn route<'a, P: Platform, C: Cars, Y: Payments>(
    handler: &'a Handler<'_, P, C, Y>,
    method: &Method,
    path: &[&str],
) -> Option<ResponseFuture<'a>> {
    Some(match (method.as_str(), path) {
        ("GET", ["reservations"]) => Box::pin(handler.list()),
        ("POST", ["reservations"]) => Box::pin(reserve::reserve(handler)),
        ("GET", ["reservations", id]) => Box::pin(handler.show(id.parse().ok()?)),
        ("PATCH", ["reservations", id]) => Box::pin(handler.patch(id.parse().ok()?)),
        ("DELETE", ["reservations", id]) => Box::pin(handler.cancel(id.parse().ok()?)),
        ("GET", ["reservations", id, "timeline"]) => Box::pin(handler.timeline(id.parse().ok()?)),
        ("POST", ["internal", "sweep"]) => Box::pin(handler.sweep()),
        _ => return None,
    })
}

/// The JSON schema of a reservation, for the documents of the API.
#[cfg(feature = "schema")]
pub fn schema(generator: schemars::SchemaGenerator) -> schemars::Schema {
    generator.into_root_schema_for::<fields::ReservationFields>()
}

#[cfg(test)]
mod tests;

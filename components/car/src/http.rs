//! The car context over HTTP: `/cars` for clients, `/internal/cars` for the reservation context.

mod body;
mod handler;
mod problems;

use crate::repository::CarRepository;
use ::http::Method;
use handler::Handler;
use kit::{
    Platform,
    http::{Request, Response, ResponseFuture, serve},
};

/// Handles one request.
pub async fn handle<P: Platform>(cars: &CarRepository<P>, request: Request) -> Response {
    let handler = Handler::new(cars, &request);
    serve(&request, |method, path| route(&handler, method, path)).await
}

/// The routes, one line per operation.
fn route<'a, P: Platform>(
    handler: &'a Handler<'_, P>,
    method: &Method,
    path: &[&str],
) -> Option<ResponseFuture<'a>> {
    Some(match (method.as_str(), path) {
        ("GET", ["cars"]) => Box::pin(handler.list()),
        ("POST", ["cars"]) => Box::pin(handler.register()),
        ("GET", ["cars", id]) => Box::pin(handler.show(id.parse().ok()?)),
        ("PUT", ["cars", id]) => Box::pin(handler.replace(id.parse().ok()?)),
        ("PATCH", ["cars", id]) => Box::pin(handler.merge(id.parse().ok()?)),
        ("DELETE", ["cars", id]) => Box::pin(handler.delete(id.parse().ok()?)),
        ("POST", ["internal", "cars", id, "hold"]) => Box::pin(handler.hold(id.parse().ok()?)),
        ("POST", ["internal", "cars", id, "release"]) => {
            Box::pin(handler.release(id.parse().ok()?))
        }
        ("POST", ["internal", "sweep"]) => Box::pin(handler.sweep()),
        _ => return None,
    })
}

/// The JSON schema of a car, for the documents of the API.
#[cfg(feature = "schema")]
pub fn schema(generator: schemars::SchemaGenerator) -> schemars::Schema {
    generator.into_root_schema_for::<handler::CarFields<'static>>()
}

#[cfg(test)]
mod tests;

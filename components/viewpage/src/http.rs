//! The viewpage context over HTTP: `/carviews`, read only, and its deprecated alias `/roomviews`.

mod finders;
mod query_string;
mod rows;
mod summary;

use crate::{ports::Database, read_model::ReadModel};
use events::Timestamp;
use http::{HeaderName, HeaderValue, Method, header};
use kit::http::{Request, Response, ResponseFuture, base_url, serve};

/// The path of the rows.
const PATH: &str = "/carviews";
/// The deprecated alias of [`PATH`].
const DEPRECATED_PATH: &str = "/roomviews";

/// Handles one request with the rows of `model`.
pub async fn handle<D: Database>(
    model: &ReadModel<D>,
    request: Request,
    now: Timestamp,
) -> Response {
    let mut response = serve(&request, |method, path| {
        route(model, &request, now, method, path)
    })
    .await;
    let target = request.uri().path_and_query();
    let target = target.map_or_else(String::new, ToString::to_string);
    if let Some(rest) = target.strip_prefix(DEPRECATED_PATH) {
        deprecate(&mut response, &base_url(&request), rest);
    }
    response
}

/// The routes, one line per operation.
fn route<'a, D: Database>(
    model: &'a ReadModel<D>,
    request: &'a Request,
    now: Timestamp,
    method: &Method,
    path: &[&str],
) -> Option<ResponseFuture<'a>> {
    let ["carviews" | "roomviews", rest @ ..] = path else {
        return None;
    };
    Some(match (method.as_str(), rest) {
        ("GET", []) => Box::pin(rows::list(model, request)),
        ("GET", ["summary"]) => Box::pin(summary::show(model, request, now)),
        ("GET", ["search"]) => Box::pin(finders::index(request)),
        ("GET", ["search", "findByRsvId"]) => Box::pin(finders::by_reservation(model, request)),
        ("GET", ["search", "findByPayId"]) => Box::pin(finders::by_payment(model, request)),
        ("GET", [car_id]) => Box::pin(rows::show(model, request, car_id.parse().ok()?)),
        _ => return None,
    })
}

/// Adds the headers that tell users of the alias where the same response is.
fn deprecate(response: &mut Response, base: &str, rest: &str) {
    let headers = response.headers_mut();
    let deprecation = HeaderName::from_static("deprecation");
    headers.insert(deprecation, HeaderValue::from_static("true"));
    let link = format!("<{base}{PATH}{rest}>; rel=\"successor-version\"");
    if let Ok(link) = HeaderValue::from_str(&link) {
        headers.insert(header::LINK, link);
    }
}

/// The JSON schema of a row of the view, for the documents of the API.
#[cfg(feature = "schema")]
pub fn schema(generator: schemars::SchemaGenerator) -> schemars::Schema {
    generator.into_root_schema_for::<crate::car_view::CarView>()
}

#[cfg(feature = "schema")]
pub use summary::schema as summary_schema;

#[cfg(test)]
mod tests;

//! HAL as Spring Data REST writes it: fields first, `_links` beside them, lists under `_embedded`.

use super::{Response, json_response, paging::Page};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

/// The media type of resources.
pub const MEDIA_TYPE: &str = "application/hal+json";

/// One resource, not yet an answer.
#[must_use]
pub fn item(mut fields: Value, base: &str, path: &str, name: &str) -> Value {
    let href = format!("{base}{path}");
    fields["_links"] = json!({ "self": { "href": href }, name: { "href": href } });
    fields
}

/// Answers with one resource.
#[must_use]
pub fn found(item: &Value) -> Response {
    json_response(StatusCode::OK, MEDIA_TYPE, item)
}

/// Answers that a resource was created, and where.
#[must_use]
pub fn created(item: &Value) -> Response {
    let mut response = json_response(StatusCode::CREATED, MEDIA_TYPE, item);
    let location = item["_links"]["self"]["href"].as_str().unwrap_or_default();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Answers with one page of resources.
#[must_use]
pub fn page(
    page: &Page,
    total: u64,
    base: &str,
    path: &str,
    plural: &str,
    items: Vec<Value>,
) -> Response {
    let pages = total.div_ceil(page.size);
    let last = pages.saturating_sub(1);
    let href = |number: u64| json!({ "href": format!("{base}{path}?{}", page.query(number)) });
    let mut links = Map::new();
    links.insert("self".into(), href(page.number));
    if pages > 1 {
        links.insert("first".into(), href(0));
        links.insert("last".into(), href(last));
    }
    if page.number > 0 && pages > 0 {
        links.insert("prev".into(), href((page.number - 1).min(last)));
    }
    if page.number < last {
        links.insert("next".into(), href(page.number + 1));
    }
    let body = json!({
        "_embedded": { plural: items },
        "_links": links,
        "page": { "size": page.size, "totalElements": total, "totalPages": pages, "number": page.number },
    });
    json_response(StatusCode::OK, MEDIA_TYPE, &body)
}

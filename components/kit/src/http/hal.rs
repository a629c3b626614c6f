//! HAL as Spring Data REST writes it: the fields of a resource with `_links` beside them, lists under
//! `_embedded`.

use super::{
    message::{Response, json_response},
    paging::Page,
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

/// The media type of resources.
pub const MEDIA_TYPE: &str = "application/hal+json";

/// The representation of one resource at `path`, with a link to itself under `self` and under `name`.
#[must_use]
pub fn item(mut fields: Value, base: &str, path: &str, name: &str) -> Value {
    let href = format!("{base}{path}");
    fields["_links"] = json!({ "self": { "href": href }, name: { "href": href } });
    fields
}

/// 200 with one resource.
#[must_use]
pub fn found(item: &Value) -> Response {
    json_response(StatusCode::OK, MEDIA_TYPE, item)
}

/// 201 with one resource and its `Location`.
#[must_use]
pub fn created(item: &Value) -> Response {
    let mut response = json_response(StatusCode::CREATED, MEDIA_TYPE, item);
    let location = item["_links"]["self"]["href"].as_str().unwrap_or_default();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// 200 with one page of the list at `path`, whose elements are `items` and whose total is `total`.
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
    let body = json!({
        "_embedded": { plural: items },
        "_links": page_links(page, pages, &format!("{base}{path}")),
        "page": { "size": page.size, "totalElements": total, "totalPages": pages, "number": page.number },
    });
    json_response(StatusCode::OK, MEDIA_TYPE, &body)
}

/// The links between the pages of the list at `url`.
fn page_links(page: &Page, pages: u64, url: &str) -> Map<String, Value> {
    let last = pages.saturating_sub(1);
    let href = |number: u64| json!({ "href": format!("{url}?{}", page.query(number)) });
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
    links
}

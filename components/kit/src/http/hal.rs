//! HAL as Spring Data REST writes it: the fields of a resource with `_links` beside them, lists under
//! `_embedded`.
//!
//! Resources are serialised directly. A tree of JSON values in between would cost a page several times as much.

use super::{
    etag,
    message::{Response, json_response},
    paging::Page,
};
use http::{HeaderValue, StatusCode, header};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{Map, Value, json};

/// The media type of resources.
pub const MEDIA_TYPE: &str = "application/hal+json";

/// The representation of one resource: its fields, then its links.
#[derive(Clone, Debug, Serialize)]
pub struct Item<F> {
    #[serde(flatten)]
    fields: F,
    #[serde(rename = "_links")]
    links: Links,
}

/// The links of a resource to itself.
#[derive(Clone, Debug)]
struct Links {
    href: String,
    /// The second name of the link, beside `self`.
    name: &'static str,
}

/// One link.
#[derive(Serialize)]
struct Link<'a> {
    href: &'a str,
}

/// The representation of the resource at `path`, with a link to itself under `self` and under `name`. The fields serialise
/// as an object.
#[must_use]
pub fn item<F: Serialize>(fields: F, base: &str, path: &str, name: &'static str) -> Item<F> {
    let href = format!("{base}{path}");
    Item {
        fields,
        links: Links { href, name },
    }
}

/// 200 with one resource.
#[must_use]
pub fn found(resource: &impl Serialize) -> Response {
    json_response(StatusCode::OK, MEDIA_TYPE, resource)
}

/// 201 with one resource and its `Location`.
#[must_use]
pub fn created(item: &Item<impl Serialize>) -> Response {
    let mut response = json_response(StatusCode::CREATED, MEDIA_TYPE, item);
    if let Ok(location) = HeaderValue::from_str(&item.links.href) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// 200 with one page of the list at `path`, whose elements are `items` and whose total is `total`. A page has no
/// version: its entity tag is a fingerprint, so that a client which polls gets no page again that has not changed.
#[must_use]
pub fn page<F: Serialize>(
    page: &Page,
    total: u64,
    base: &str,
    path: &str,
    plural: &'static str,
    items: &[Item<F>],
) -> Response {
    let pages = total.div_ceil(page.size);
    let body = PageBody {
        embedded: Embedded { plural, items },
        links: page_links(page, pages, &format!("{base}{path}")),
        page: json!({ "size": page.size, "totalElements": total, "totalPages": pages, "number": page.number }),
    };
    let response = json_response(StatusCode::OK, MEDIA_TYPE, &body);
    let version = etag::fingerprint(response.body());
    etag::tagged(response, version)
}

#[derive(Serialize)]
struct PageBody<'a, F> {
    #[serde(rename = "_embedded")]
    embedded: Embedded<'a, F>,
    #[serde(rename = "_links")]
    links: Map<String, Value>,
    page: Value,
}

/// Resources under the name of their kind.
#[derive(Clone, Copy, Debug)]
pub struct Embedded<'a, F> {
    /// The name of their kind, in the plural.
    pub plural: &'static str,
    /// The resources.
    pub items: &'a [Item<F>],
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

// === impl Links ===

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let link = Link { href: &self.href };
        let mut links = serializer.serialize_map(Some(2))?;
        links.serialize_entry("self", &link)?;
        links.serialize_entry(self.name, &link)?;
        links.end()
    }
}

// === impl Embedded ===

impl<F: Serialize> Serialize for Embedded<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut embedded = serializer.serialize_map(Some(1))?;
        embedded.serialize_entry(self.plural, self.items)?;
        embedded.end()
    }
}

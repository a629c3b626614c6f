//! Request headers that Spin adds, so that a component reads the same headers on both hosts.
//!
//! Unlike Spin, the host first removes all `spin-*` headers of the client, and the header of the principal, so that a
//! component can trust these headers. It also removes the headers of a proxy (`Forwarded`, `X-Forwarded-*`), from which components make links, unless the
//! operator trusts the proxy.

use std::net::SocketAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::principal::PRINCIPAL;
use config::manifest::RouteMatch;

const PREFIX: &str = "spin-";

const FORWARDED_PREFIX: &str = "x-forwarded-";

const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");

/// Sets the headers of a request from a client, with the route that it matched. The URI must be absolute.
pub fn routed<B>(request: &mut Request<B>, found: &RouteMatch<'_, '_>, client: SocketAddr) {
    strip(request);
    let url = value(&request.uri().to_string());
    let headers = request.headers_mut();
    headers.insert(PATH_INFO, value(found.trailing.unwrap_or_default()));
    headers.insert(FULL_URL, url);
    headers.insert(MATCHED_ROUTE, value(found.route.pattern()));
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(RAW_COMPONENT_ROUTE, value(found.route.pattern()));
    headers.insert(COMPONENT_ROUTE, value(found.route.prefix()));
    headers.insert(CLIENT_ADDR, value(&client.to_string()));
    for (name, found) in &found.params {
        let name = format!("spin-path-match-{}", name.to_ascii_lowercase());
        if let Ok(name) = HeaderName::try_from(name) {
            headers.insert(name, value(found));
        }
    }
}

/// Removes the headers that only a proxy may set.
pub fn strip_forwarded(headers: &mut HeaderMap) {
    let is_forwarded =
        |name: &&HeaderName| **name == FORWARDED || name.as_str().starts_with(FORWARDED_PREFIX);
    let forged: Vec<_> = headers.keys().filter(is_forwarded).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

/// Sets the headers of a request from one component to another. The URI must be absolute.
pub fn chained<B>(request: &mut Request<B>) {
    strip(request);
    let path = value(request.uri().path());
    let url = value(&request.uri().to_string());
    let headers = request.headers_mut();
    headers.insert(PATH_INFO, path);
    headers.insert(FULL_URL, url);
    headers.insert(MATCHED_ROUTE, HeaderValue::from_static("/..."));
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(RAW_COMPONENT_ROUTE, HeaderValue::from_static("/..."));
    headers.insert(COMPONENT_ROUTE, HeaderValue::from_static(""));
    headers.insert(CLIENT_ADDR, HeaderValue::from_static("0.0.0.0:0"));
}

fn strip<B>(request: &mut Request<B>) {
    let headers = request.headers_mut();
    let forged: Vec<_> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(PREFIX))
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
    headers.remove(PRINCIPAL);
}

fn value(text: &str) -> HeaderValue {
    // A parsed path holds only visible ASCII; nothing is lost here.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_a_proxy_are_removed() {
        let mut headers = HeaderMap::new();
        for name in [
            "forwarded",
            "x-forwarded-host",
            "X-Forwarded-Proto",
            "x-forwarded-for",
        ] {
            headers.insert(HeaderName::try_from(name).unwrap(), value("evil.example"));
        }
        headers.insert("host", value("a"));
        strip_forwarded(&mut headers);
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn spin_headers_of_a_client_are_removed() {
        let mut request = Request::get("http://car.spin.internal/cars/1?x=2")
            .header("spin-client-addr", "10.0.0.1:1")
            .header("spin-client-addr", "10.0.0.2:2")
            .header("spin-path-match-id", "7")
            .header("accept", "*/*")
            .body(())
            .unwrap();
        chained(&mut request);
        let headers: &HeaderMap = request.headers();
        assert_eq!(
            headers.get_all(CLIENT_ADDR).iter().collect::<Vec<_>>(),
            ["0.0.0.0:0"]
        );
        assert!(!headers.contains_key("spin-path-match-id"));
        assert_eq!(headers["accept"], "*/*");
        assert_eq!(headers[PATH_INFO], "/cars/1");
        assert_eq!(headers[FULL_URL], "http://car.spin.internal/cars/1?x=2");
    }
}

//! Spans of HTTP requests, after the semantic conventions for HTTP.
//!
//! Neither queries nor headers are recorded: both may hold secrets. An exception is the name of the client's program.

use std::borrow::Cow;
use std::net::SocketAddr;

use http::header::{HOST, USER_AGENT};
use http::{Method, Request, StatusCode, Uri, Version};

use super::{Attribute, Span, SpanKind, name, number, text};
use crate::trace::Trace;

/// Methods that are names of spans. Clients may send any others.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
];

/// The name of a method that is not among them, as an attribute.
const OTHER_METHOD: &str = "_OTHER";

/// The same in the name of a span.
const ANY_METHOD: &str = "HTTP";

/// Starts the span of a request from a client.
pub fn server<B>(request: &Request<B>, client: SocketAddr, trace: &Trace) -> Span {
    let mut span = Span::start(SpanKind::Server, trace, || {
        known(request.method()).unwrap_or(ANY_METHOD).into()
    });
    span.describe(|| {
        let headers = request.headers();
        let header = |name| {
            let value = headers.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        let host = request.uri().authority().map(|it| it.as_str());
        let host: Uri = host.unwrap_or(header(HOST)).parse().unwrap_or_default();
        let [method, original] = method(request.method());
        [
            method,
            original,
            name("url.scheme", "http"),
            text("url.path", request.uri().path()),
            text("server.address", host.host().unwrap_or_default()),
            host.port_u16().and_then(|port| number("server.port", port)),
            text("client.address", &client.ip().to_string()),
            name("network.protocol.version", version(request.version())),
            text("user_agent.original", header(USER_AGENT)),
            text("socar.request_id", trace.id()),
        ]
    });
    span
}

/// Notes which route a request has matched, and the component that it leads to.
pub fn routed(span: &mut Span, method: &Method, route: &str, component: Option<&str>) {
    let method = known(method).unwrap_or(ANY_METHOD);
    span.rename(|| format!("{method} {route}"));
    span.describe(|| {
        [
            text("http.route", route),
            text("socar.component", component.unwrap_or_default()),
        ]
    });
}

/// Notes the status of the response to a client. The fault of a client is no error of the server.
pub fn answered(span: &mut Span, status: StatusCode, problem: Option<&'static str>) {
    note_status(span, status);
    if status.is_server_error() {
        fail(span, status, problem);
    }
}

/// Starts the span of a request that a component or the host sends. `link` names the work that sends it, if the request
/// belongs to another trace.
pub fn client<B>(request: &Request<B>, trace: &Trace, link: Option<&Trace>) -> Span {
    let mut span = Span::start_linked(SpanKind::Client, trace, link, || {
        known(request.method()).unwrap_or(ANY_METHOD).into()
    });
    span.describe(|| {
        let uri = request.uri();
        let (scheme, host) = (uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or(""));
        let port = uri.port_u16().unwrap_or(match scheme {
            "https" => 443,
            _ => 80,
        });
        let [method, original] = method(request.method());
        let shown_port = uri.port_u16().map(|port| format!(":{port}"));
        let shown_port = shown_port.unwrap_or_default();
        [
            method,
            original,
            text(
                "url.full",
                &format!("{scheme}://{host}{shown_port}{}", uri.path()),
            ),
            text("server.address", host),
            number("server.port", port),
        ]
    });
    span
}

/// Notes the status of the response to a request that a component or the host has sent.
pub fn received(span: &mut Span, status: StatusCode) {
    note_status(span, status);
    if status.is_client_error() || status.is_server_error() {
        fail(span, status, None);
    }
}

fn note_status(span: &mut Span, status: StatusCode) {
    span.describe(|| [number("http.response.status_code", status.as_u16())]);
}

fn fail(span: &mut Span, status: StatusCode, problem: Option<&'static str>) {
    let error_type = match problem {
        Some(problem) => Cow::from(problem),
        None => Cow::from(status.as_str().to_owned()),
    };
    // The conventions leave the description out where the status says it all.
    span.fail(error_type, "");
}

fn method(method: &Method) -> [Attribute; 2] {
    const METHOD: &str = "http.request.method";
    match known(method) {
        Some(known) => [name(METHOD, known), None],
        None => [
            name(METHOD, OTHER_METHOD),
            text("http.request.method_original", method.as_str()),
        ],
    }
}

/// The name of a method: one of few, whatever clients send.
pub fn method_name(method: &Method) -> &'static str {
    known(method).unwrap_or(OTHER_METHOD)
}

fn known(method: &Method) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == method.as_str())
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

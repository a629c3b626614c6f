//! The HTTP server: the path from a request to the component that its route names.
//!
//! A request is answered by the host itself (health, a static response, a refusal) or by a component; either way the
//! answer carries the request id. The [`listener`] deals with connections and their clients.

mod connection;
pub mod connections;
pub mod listener;
mod monitored_io;
pub mod rejections;
mod streams;
pub mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, HOST,
};
use ::http::uri::{Authority, Scheme};
use ::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tracing::warn;
use wasmtime_wasi_http::WasiBody;

use crate::body::GuardedBody;
use crate::call::Call;
use crate::generation::CurrentGeneration;
use crate::headers;
use crate::health::Health;
use crate::ingress::Ingress;
use crate::link::PrepareRequest;
use crate::problem::{Problem, full};
use crate::trace::REQUEST_ID;
use crate::trace::Trace;
use config::manifest::{RouteHandler, RouteMatch, StaticResponse};
use config::policy::ListenerLimits;
use connections::ConnectionState;
use rejections::RejectionReason;

pub use listener::{bind, serve};

/// Everything that answers requests.
pub struct Server {
    /// The application.
    pub current: CurrentGeneration,
    /// Answers the host's own paths.
    pub health: Health,
}

/// The client of a request.
#[derive(Clone)]
pub struct ClientInfo {
    /// Its address.
    pub address: SocketAddr,
    /// Its connection.
    pub connection: Arc<ConnectionState>,
    /// Whether the connection is within the limit; otherwise only the health paths answer.
    pub admitted: bool,
}

// === impl Server ===

impl Server {
    fn limits(&self) -> Arc<ListenerLimits> {
        self.current.get().listener.clone()
    }

    async fn answer(&self, request: Request<Incoming>, client: &ClientInfo) -> Response<WasiBody> {
        let request_guard = client.connection.begin_request();
        let trace = Trace::of(request.headers());
        let request_id = trace.request_id.clone();
        let can_be_closed = request.version() < Version::HTTP_2;
        let is_head = request.method() == Method::HEAD;
        let is_preflight = is_preflight(&request);
        let mut response = match self.route(request, client, trace).await {
            Ok(response) => response,
            Err(problem) => {
                RejectionReason::of(&problem)
                    .into_iter()
                    .for_each(RejectionReason::count);
                match is_preflight && problem.is_temporary() {
                    true => preflight(),
                    false => problem.response(),
                }
            }
        };
        if is_head {
            response = response.map(|_| WasiBody::default());
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, request_id);
        if can_be_closed && (!client.admitted || client.connection.has_unread_body()) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| streams::watched(GuardedBody::new(body, request_guard).boxed_unsync()))
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        client: &ClientInfo,
        trace: Trace,
    ) -> Result<Response<WasiBody>, Problem> {
        let path = request.uri().path().to_owned();
        if let Some(response) = self.health.answer(&path, request.method()) {
            return Ok(response);
        }
        if !client.admitted {
            return Err(Problem::TooManyClients);
        }
        let generation = self.current.get();
        let found = generation.routes.route(&path).ok_or(Problem::NotFound)?;
        match &found.route.handler {
            RouteHandler::Static(response) => Ok(fixed(response)),
            RouteHandler::Component(id) => {
                let ingress = generation.components.get(id.as_str());
                let ingress = ingress.ok_or(Problem::NotFound)?;
                let (head, body) = request.into_parts();
                let body = upload::receive(
                    &head.headers,
                    body,
                    ingress.component.config().max_body,
                    &generation.listener,
                    &generation.upload_budget,
                );
                let body = body.await.map_err(|refusal| {
                    if refusal.unread {
                        client.connection.leave_body_unread();
                    }
                    refusal.problem
                })?;
                let request = Request::from_parts(head, body.into_body());
                let request = absolute(request).ok_or(Problem::BadRequest)?;
                call(ingress, request, &found, client, trace).await
            }
        }
    }
}

/// Whether a browser asks what a page may ask.
fn is_preflight<B>(request: &Request<B>) -> bool {
    let asks = request
        .headers()
        .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    asks && request.method() == Method::OPTIONS
}

/// Lets a page ask: only an answer to that can tell it to come again later. Not for longer than for now.
fn preflight() -> Response<WasiBody> {
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "*"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*, authorization"),
        (ACCESS_CONTROL_MAX_AGE, "0"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A request of a client with the route that it matched. Its headers are set when the call is admitted: in an overload,
/// a rejected call must cost as little as possible.
struct RoutedRequest<'a> {
    request: Request<WasiBody>,
    found: &'a RouteMatch<'a, 'a>,
    client: SocketAddr,
}

impl PrepareRequest for RoutedRequest<'_> {
    fn method(&self) -> &Method {
        self.request.method()
    }

    fn prepare(self, call: &Call) -> Request<WasiBody> {
        let mut request = self.request;
        headers::routed(&mut request, self.found, self.client);
        request.headers_mut().remove(CONNECTION);
        call.set_trace_headers(request.headers_mut());
        request
    }
}

async fn call(
    ingress: &Ingress,
    request: Request<WasiBody>,
    found: &RouteMatch<'_, '_>,
    client: &ClientInfo,
    trace: Trace,
) -> Result<Response<WasiBody>, Problem> {
    let call = ingress.component.incoming_call(trace);
    let client = client.address;
    let request = RoutedRequest {
        request,
        found,
        client,
    };
    // A rejection promises nothing, and does not wait for the event log or the disk.
    let response = ingress.gateway.call(request, call.clone()).await?;
    if let Err(error) = call.wait_durable().await {
        warn!(component = ingress.component.id(), %error, "a response was withheld");
        return Err(Problem::NotDurable);
    }
    Ok(response)
}

/// Gives the URI the authority that the client meant: the one in the URI, or else the `Host` header. `None` if it cannot be
/// known.
///
/// A request line of HTTP/1 that names an authority overrules `Host`, which is rewritten (RFC 9112, 3.2.2); over HTTP/2,
/// where both come from the same pen, a difference is an error (RFC 9113, 8.3.1). An empty `Host` says that there is no
/// name to tell (RFC 9112, 3.2).
fn absolute<B>(mut request: Request<B>) -> Option<Request<B>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let mut hosts = request.headers().get_all(HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return None,
        (Some(host), None) if !host.is_empty() => {
            Some(host.to_str().ok()?.parse::<Authority>().ok()?)
        }
        _ => None,
    };
    let can_contradict = request.version() >= Version::HTTP_2;
    let authority = match (named, parts.authority.take()) {
        (Some(host), Some(authority)) if can_contradict && host != authority => return None,
        (_, Some(authority)) => authority,
        (Some(host), None) => host,
        (None, None) => Authority::from_static("localhost"),
    };
    let host = authority.as_str().parse().ok()?;
    request.headers_mut().insert(HOST, host);
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(::http::uri::PathAndQuery::from_static("/"));
    }
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    Some(request)
}

fn fixed(fixed: &StaticResponse) -> Response<WasiBody> {
    let mut response = Response::new(full(fixed.body.clone()));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers.clone();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The URL and the `Host` that a component is given.
    fn seen(version: Version, target: &str, hosts: &[&str]) -> Option<(String, String)> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let request = absolute(request.body(()).unwrap())?;
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        assert_eq!(request.headers().get_all(HOST).iter().count(), 1);
        Some((request.uri().to_string(), host))
    }

    fn told(url: &str, host: &str) -> Option<(String, String)> {
        Some((url.to_owned(), host.to_owned()))
    }

    #[test]
    fn the_host_header_completes_a_path() {
        let seen = |hosts: &[&str]| seen(Version::HTTP_11, "/cars?x=1", hosts);
        assert_eq!(seen(&["a:80"]), told("http://a:80/cars?x=1", "a:80"));
        for none in [&[][..], &[""]] {
            let localhost = told("http://localhost/cars?x=1", "localhost");
            assert_eq!(seen(none), localhost, "{none:?}");
        }
    }

    #[test]
    fn a_request_line_with_an_authority_overrules_the_host_header() {
        let seen = |hosts: &[&str]| seen(Version::HTTP_11, "http://a/cars", hosts);
        for hosts in [&["a"][..], &["b"], &[]] {
            assert_eq!(seen(hosts), told("http://a/cars", "a"), "{hosts:?}");
        }
    }

    #[test]
    fn over_http_2_the_authority_and_the_host_header_must_agree() {
        let seen = |hosts: &[&str]| seen(Version::HTTP_2, "http://a/cars", hosts);
        assert_eq!(seen(&["a"]), told("http://a/cars", "a"));
        assert_eq!(seen(&[]), told("http://a/cars", "a"));
        assert_eq!(seen(&["b"]), None);
    }

    #[test]
    fn two_host_headers_and_one_that_is_none_are_refused() {
        for target in ["/cars", "http://a/cars"] {
            assert_eq!(seen(Version::HTTP_11, target, &["a", "a"]), None);
            assert_eq!(seen(Version::HTTP_11, target, &["a b"]), None);
        }
    }
}

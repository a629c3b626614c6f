//! Outgoing HTTP of one component: which link a request takes.
//!
//! `http://<id>.spin.internal/…` is another component, called in this process without a socket, within what is left of
//! the caller's time. `http://self/…` is the application itself, over its own listener. Every other request leaves the
//! platform over pooled connections. The capability has checked the manifest's `allowed_outbound_hosts` before.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Request, Response, Uri};
use percent_encoding::percent_decode_str;
use tracing::warn;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::availability::Availability;
use crate::body::IdleTimeoutBody;
use crate::call::{Call, MAX_DEPTH};
use crate::capability::outbound_http::{OutboundHttp, OutboundResponse};
use crate::dispatch_marker::DispatchMarker;
use crate::headers;
use crate::link::registry::RemoteLinks;
use crate::link::{ComponentLink, RemoteLink};
use crate::principal::PRINCIPAL;
use crate::problem::Problem;

/// The suffix of the host name of every component.
pub const INTERNAL_SUFFIX: &str = ".spin.internal";

/// The host names that stand for the application itself.
const SELF_HOSTS: [&str; 2] = ["self", "self.alt"];

/// What the outgoing requests of one component need to know.
pub struct OutboundConfig {
    /// The component that sends.
    pub component: Arc<str>,
    /// The address that the application listens on.
    pub own_address: SocketAddr,
}

/// The links that start at one component.
pub struct OutboundLinks {
    /// Links to components, by id.
    pub components: BTreeMap<String, Arc<ComponentLink>>,
    /// Links to remote origins.
    pub remote: RemoteLinks,
}

/// The outgoing requests of one component. Its links are set once, when all components are loaded: any component may
/// call any other.
pub struct Outbound {
    config: OutboundConfig,
    links: OnceLock<OutboundLinks>,
}

/// The link that a request takes.
enum OutboundRoute {
    Component(Arc<ComponentLink>),
    Remote(Arc<RemoteLink>),
}

// === impl Outbound ===

impl Outbound {
    /// Outgoing requests that fail until [`Self::connect`] sets the links.
    pub fn new(config: OutboundConfig) -> Self {
        Self {
            config,
            links: OnceLock::new(),
        }
    }

    /// Sets the links. Only the first call has an effect.
    pub fn connect(&self, links: OutboundLinks) {
        let _ = self.links.set(links);
    }

    fn route(&self, request: &mut Request<WasiBody>, call: &Call) -> Result<OutboundRoute, Error> {
        let links = self.links.get().ok_or(Error::DestinationNotFound)?;
        let host = request.uri().host().unwrap_or_default();
        if SELF_HOSTS.contains(&host) {
            self.address_own(request)
                .ok_or(Error::DestinationNotFound)?;
            return Ok(OutboundRoute::Remote(links.remote.to(request.uri())));
        }
        match host.strip_suffix(INTERNAL_SUFFIX) {
            None => Ok(OutboundRoute::Remote(links.remote.to(request.uri()))),
            Some(_) if call.depth >= MAX_DEPTH => Err(Error::LoopDetected),
            Some(id) => {
                let link = links.components.get(id).ok_or(Error::DestinationNotFound)?;
                Ok(OutboundRoute::Component(link.clone()))
            }
        }
    }

    /// Replaces the host of a request to the application itself with the address that the application listens on.
    fn address_own(&self, request: &mut Request<WasiBody>) -> Option<()> {
        let mut parts = request.uri().clone().into_parts();
        parts.authority = Some(self.config.own_address.to_string().parse().ok()?);
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        Some(())
    }
}

impl OutboundHttp for Outbound {
    fn send(
        &self,
        mut request: Request<WasiBody>,
        call: &Call,
        options: RequestOptions,
    ) -> Result<OutboundResponse, Error> {
        let call = call.clone().with_caller(&self.config.component);
        let availability = call.availability.clone();
        let route = self.route(&mut request, &call)?;
        Ok(Box::pin(async move {
            let called = match route {
                OutboundRoute::Component(link) => {
                    call_component(link, request, call, options).await
                }
                OutboundRoute::Remote(link) => call_remote(link, request, call, options).await,
            };
            note_availability(&availability, &called);
            called
        }))
    }
}

async fn call_component(
    link: Arc<ComponentLink>,
    mut request: Request<WasiBody>,
    call: Call,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    let started = Instant::now();
    let call = call.nested();
    set_host(&mut request)?;
    call.set_trace_headers(request.headers_mut());
    headers::chained(&mut request);
    // Instances get the header in any case; here it keeps the cached answers of two callers apart.
    call.principal.set_header(request.headers_mut());
    let marker = DispatchMarker::attach(&mut request);
    let timeout = options.first_byte_timeout;
    match link.call_with(request, call, &options).await {
        Ok(response) => {
            let response = marker.annotate(response);
            Ok(IdleTimeoutBody::pace(
                response,
                options.between_bytes_timeout,
            ))
        }
        Err(Problem::DeadlineExceeded { .. })
            if timeout.is_some_and(|it| started.elapsed() >= it) =>
        {
            Err(Error::ConnectionReadTimeout)
        }
        // The caller gets the response that a client would get, and decides what it means for its own response.
        Err(problem) => Ok(marker.annotate(problem.response())),
    }
}

async fn call_remote(
    link: Arc<RemoteLink>,
    mut request: Request<WasiBody>,
    call: Call,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    set_host(&mut request)?;
    request.headers_mut().remove(PRINCIPAL);
    call.set_trace_headers(request.headers_mut());
    call.wait_durable().await.map_err(|error| {
        warn!(%error, "outgoing request not sent");
        Error::InternalError(Some(error.to_string()))
    })?;
    let _external_wait = call.begin_external_wait();
    let marker = DispatchMarker::attach(&mut request);
    let response = link.call_with(request, call.nested(), &options).await;
    Ok(marker.annotate(response.or_else(|error| error.into_response())?))
}

/// Notes an outage of the target. A call without a response counts as one.
fn note_availability(availability: &Availability, called: &Result<Response<WasiBody>, Error>) {
    match called {
        Ok(response) => availability.note_response(response.status(), response.headers()),
        Err(_) => availability.note_unavailable(None),
    }
}

/// Sets `Host` from the URI. Credentials in the URI become `Authorization`, unless the guest has set its own: no part of
/// them belongs into `Host` (RFC 9110, 4.2.4 and 7.2).
fn set_host<B>(request: &mut Request<B>) -> Result<(), Error> {
    let invalid = || Error::HttpRequestUriInvalid;
    let authority = request.uri().authority().ok_or_else(invalid)?.clone();
    let (credentials, host) = match authority.as_str().rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials), host),
        None => (None, authority.as_str()),
    };
    let value = HeaderValue::from_str(host).map_err(|_| invalid())?;
    request.headers_mut().insert(HOST, value);
    let Some(credentials) = credentials else {
        return Ok(());
    };
    let mut parts = request.uri().clone().into_parts();
    parts.authority = Some(host.parse().map_err(|_| invalid())?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| invalid())?;
    if let http::header::Entry::Vacant(vacant) = request.headers_mut().entry(AUTHORIZATION) {
        let decoded: Vec<u8> = percent_decode_str(credentials).collect();
        let basic = format!("Basic {}", BASE64_STANDARD.encode(decoded));
        let mut basic = HeaderValue::try_from(basic).map_err(|_| invalid())?;
        basic.set_sensitive(true);
        vacant.insert(basic);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(url: &str, own: Option<&'static str>) -> (String, String, Option<String>) {
        let mut request = Request::get(url);
        if let Some(own) = own {
            request = request.header(AUTHORIZATION, own);
        }
        let mut request = request.body(()).unwrap();
        set_host(&mut request).unwrap();
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        (
            request.uri().to_string(),
            text(&request.headers()[HOST]),
            request.headers().get(AUTHORIZATION).map(text),
        )
    }

    #[test]
    fn credentials_of_a_url_become_an_authorization() {
        let (url, host, authorization) = sent("http://u:p%40ss@localhost:9/pay?k=1", None);
        assert_eq!(url, "http://localhost:9/pay?k=1");
        assert_eq!(host, "localhost:9");
        assert_eq!(authorization.as_deref(), Some("Basic dTpwQHNz"));
        let (_, host, authorization) = sent("http://u:p@[::1]/", Some("Bearer own"));
        assert_eq!(host, "[::1]");
        assert_eq!(authorization.as_deref(), Some("Bearer own"));
        let (url, host, authorization) = sent("https://h/", None);
        assert_eq!(
            (url.as_str(), host.as_str(), authorization),
            ("https://h/", "h", None)
        );
    }
}

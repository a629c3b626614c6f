//! `wasi:http/client`: where a component's requests go.
//!
//! `http://<id>.spin.internal/…` is another component, called in this process without a socket, within what is left of
//! the caller's time; everything else goes out through pooled connections. Either way the manifest must allow it, the
//! timeouts that the guest asks for are honoured, and the guest gets an error it can handle, never a trap. An answer of
//! the host itself tells whether the request reached anybody ([`crate::dispatch_marker`]).

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use http::header::HOST;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tracing::warn;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

use super::Grants;
use crate::body::{GuardedBody, IdleTimeoutBody};
use crate::call::{Call, MAX_DEPTH};
use crate::client::HttpClient;
use crate::component::Component;
use crate::dispatch_marker::DispatchMarker;
use crate::headers;
use crate::link::Link;
use crate::link::registry::OutboundLinks;
use crate::problem::Problem;
use config::manifest::AllowedHosts;

/// What follows a component's id in its address.
pub const INTERNAL: &str = ".spin.internal";

/// How many requests of one instance may be under way at the same time: each takes a socket, or a place of another
/// component.
const MOST_REQUESTS: usize = 64;

/// What a component calls the application that it is part of.
const OWN: [&str; 2] = ["self", "self.alt"];

type Sent = Result<(Response<WasiBody>, Io), Error>;
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// The components that can be called by name. Filled once all are loaded, since each may call any other.
#[derive(Clone, Default)]
pub struct ComponentRegistry(Arc<OnceLock<Known>>);

struct Known {
    components: BTreeMap<String, Weak<Component>>,
    /// Where the application itself listens, for `http://self.alt/…`.
    own: SocketAddr,
}

/// The ways out of one component.
#[derive(Clone)]
pub struct OutboundConfig {
    /// The hosts that the manifest allows.
    pub allowed: AllowedHosts,
    /// The components behind `*.spin.internal`.
    pub callees: ComponentRegistry,
    /// The links to them, by their ids.
    pub links: BTreeMap<String, Arc<Link>>,
    /// Connections to everything else.
    pub client: HttpClient,
    /// The links to everything else.
    pub outbound: OutboundLinks,
}

/// The outgoing side of one instance.
pub struct OutboundHttp {
    pub(super) call: Option<Call>,
    grants: Arc<Grants>,
    /// Each is taken until the last byte of an answer.
    places: Arc<Semaphore>,
}

// === impl ComponentRegistry ===

impl ComponentRegistry {
    /// Makes the components known to each other, and where they can be reached from outside; only the first time counts.
    pub fn publish<'a>(
        &self,
        components: impl IntoIterator<Item = &'a Arc<Component>>,
        own: SocketAddr,
    ) {
        let components = components.into_iter();
        let components = components
            .map(|found| (found.id().to_owned(), Arc::downgrade(found)))
            .collect();
        let _ = self.0.set(Known { components, own });
    }

    /// The component of this name.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Component>> {
        self.0.get()?.components.get(id)?.upgrade()
    }

    /// Gives a request to the application itself the address that it listens on.
    fn address_own(&self, request: &mut Request<WasiBody>) -> Option<()> {
        let own = self.0.get()?.own;
        let mut parts = request.uri().clone().into_parts();
        parts.authority = Some(own.to_string().parse().ok()?);
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        Some(())
    }
}

// === impl OutboundHttp ===

impl OutboundHttp {
    pub(super) fn new(grants: Arc<Grants>) -> Self {
        Self {
            call: None,
            grants,
            places: Arc::new(Semaphore::new(MOST_REQUESTS)),
        }
    }

    fn route(&self, mut request: Request<WasiBody>, options: RequestOptions) -> Result<Way, Error> {
        let outbound = &self.grants.outbound;
        let uri = request.uri();
        let (scheme, host) = (
            uri.scheme_str().unwrap_or_default(),
            uri.host().unwrap_or_default(),
        );
        if !outbound.allowed.allows(scheme, host, uri.port_u16()) {
            let component = &*self.grants.component;
            warn!(component, %uri, "outgoing request refused: not among allowed_outbound_hosts");
            return Err(Error::HttpRequestDenied);
        }
        let call = self.call.clone().ok_or(Error::ConfigurationError)?;
        let call = call.with_caller(&self.grants.component);
        if OWN.contains(&host) {
            outbound
                .callees
                .address_own(&mut request)
                .ok_or(Error::DestinationNotFound)?;
            return Ok(Way::Outside {
                link: outbound.outbound.to(request.uri()),
                client: outbound.client.clone(),
                request,
                call,
                options,
            });
        }
        match host.strip_suffix(INTERNAL) {
            None => Ok(Way::Outside {
                link: outbound.outbound.to(request.uri()),
                client: outbound.client.clone(),
                request,
                call,
                options,
            }),
            Some(_) if call.depth >= MAX_DEPTH => Err(Error::LoopDetected),
            Some(id) => {
                let callee = outbound.callees.get(id);
                let way = callee.zip(outbound.links.get(id).cloned());
                let (callee, link) = way.ok_or(Error::DestinationNotFound)?;
                Ok(Way::Inside {
                    link,
                    callee,
                    request,
                    call,
                    options,
                })
            }
        }
    }
}

impl WasiHttpHooks for OutboundHttp {
    // `Host` is left to the guests as in Spin: they build absolute links from it. See `set_host_header`.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name: &HeaderName| *name != HOST && DEFAULT_FORBIDDEN_HEADERS.contains(name))
    }

    // The header must follow the address, whatever the guest wrote; it is replaced when the request is sent.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let way = self.route(request, options.unwrap_or_default());
        let place = self.places.clone().try_acquire_owned();
        Box::new(async move {
            let place = place.map_err(|_| Error::ConnectionLimitReached)?;
            let response = match way? {
                Way::Inside {
                    link,
                    callee,
                    request,
                    call,
                    options,
                } => inside(&link, &callee, request, &call, options).await?,
                Way::Outside {
                    link,
                    client,
                    request,
                    call,
                    options,
                } => outside(&link, &client, request, &call, options).await?,
            };
            let response = response.map(|body| GuardedBody::new(body, place).boxed_unsync());
            Ok((response, Box::new(std::future::ready(Ok(()))) as Io))
        })
    }
}

enum Way {
    Inside {
        link: Arc<Link>,
        callee: Arc<Component>,
        request: Request<WasiBody>,
        call: Call,
        options: RequestOptions,
    },
    Outside {
        link: Arc<Link>,
        client: HttpClient,
        request: Request<WasiBody>,
        call: Call,
        options: RequestOptions,
    },
}

async fn inside(
    link: &Link,
    callee: &Component,
    mut request: Request<WasiBody>,
    call: &Call,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    let started = Instant::now();
    let call = call.nested();
    set_host(&mut request)?;
    call.set_trace_headers(request.headers_mut());
    headers::chained(&mut request);
    let marker = DispatchMarker::attach(&mut request);
    let patience = options.first_byte_timeout;
    match link.call(callee, request, call, patience).await {
        Ok(response) => {
            let response = marker.annotate(response);
            Ok(IdleTimeoutBody::pace(
                response,
                options.between_bytes_timeout,
            ))
        }
        Err(Problem::DeadlineExceeded { .. })
            if patience.is_some_and(|it| started.elapsed() >= it) =>
        {
            Err(Error::ConnectionReadTimeout)
        }
        // The caller sees what an outside caller would see, and decides what it means for its own answer.
        Err(problem) => Ok(marker.annotate(problem.response())),
    }
}

async fn outside(
    link: &Link,
    client: &HttpClient,
    mut request: Request<WasiBody>,
    call: &Call,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    set_host(&mut request)?;
    call.set_trace_headers(request.headers_mut());
    call.wait_durable().await.map_err(|error| {
        warn!(%error, "outgoing request not sent");
        Error::InternalError(Some(error.to_string()))
    })?;
    let _external_wait = call.begin_external_wait();
    let marker = DispatchMarker::attach(&mut request);
    let response = link.send(client, request, call.nested(), &options).await?;
    Ok(marker.annotate(response))
}

fn set_host(request: &mut Request<WasiBody>) -> Result<(), Error> {
    let authority = request
        .uri()
        .authority()
        .ok_or(Error::HttpRequestUriInvalid)?;
    let value =
        HeaderValue::from_str(authority.as_str()).map_err(|_| Error::HttpRequestUriInvalid)?;
    request.headers_mut().insert(HOST, value);
    Ok(())
}

//! The HTTP server: connections, and the path from a request to the component that its route names.
//!
//! HTTP/1.1 and HTTP/2 without TLS share the one port. A request is answered by the host itself (health, a static
//! response, a refusal) or by a component; either way the answer carries the request id.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use ::http::uri::{Authority, Scheme};
use ::http::{HeaderMap, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tracing::{debug, trace, warn};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::body::Limited;
use crate::call::REQUEST_ID;
use crate::component::Component;
use crate::headers;
use crate::health::Health;
use crate::manifest::{Handler, Match, RouteTable, StaticResponse};
use crate::problem::{Problem, full};
use crate::trace::Trace;

/// How long a client may take to send the head of a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before accepting again when the process is out of file descriptors.
const BREATHER: Duration = Duration::from_millis(50);

/// Everything that answers requests.
pub struct Server {
    /// Which path belongs to whom.
    pub routes: RouteTable,
    /// Finds the component of a route.
    pub components: crate::app::Components,
    /// Answers the host's own paths.
    pub health: Health,
}

/// Binds the port.
///
/// # Errors
/// When the port is taken or may not be used; the message says which and what to do.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{address} is taken by another program: stop it, or choose another with --listen {}:0",
            address.ip()
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// Serves until told to stop, then lets the requests in flight finish for as long as `drain`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
    drain: Duration,
) -> anyhow::Result<()> {
    let mut connections = auto::Builder::new(TokioExecutor::new());
    connections
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    connections
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1024);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // One connection that vanished, or no descriptor left: neither ends the platform.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATHER).await;
                continue;
            }
        };
        prepare(&stream);
        let server = server.clone();
        let service = service_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request, client).await) }
        });
        let connection = connections
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                trace!(%client, error, "connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some requests did not finish while draining");
    }
    Ok(())
}

fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot switch Nagle's delay off");
    }
}

// === impl Server ===

impl Server {
    async fn answer(&self, request: Request<Incoming>, client: SocketAddr) -> Response<WasiBody> {
        let trace = Trace::of(request.headers());
        let request_id = trace.request_id.clone();
        let mut response = match self.route(request, client, trace).await {
            Ok(response) => response,
            Err(problem) => problem.response(),
        };
        response.headers_mut().insert(REQUEST_ID, request_id);
        response
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        trace: Trace,
    ) -> Result<Response<WasiBody>, Problem> {
        let path = request.uri().path().to_owned();
        if let Some(response) = self.health.answer(&path, request.method()) {
            return Ok(response);
        }
        let found = self.routes.route(&path).ok_or(Problem::NotFound)?;
        match &found.route.handler {
            Handler::Static(response) => Ok(fixed(response)),
            Handler::Component(id) => {
                let component = self.components.get(id.as_str()).ok_or(Problem::NotFound)?;
                self.call(component, request, &found, client, trace).await
            }
        }
    }

    async fn call(
        &self,
        component: &Component,
        request: Request<Incoming>,
        found: &Match<'_, '_>,
        client: SocketAddr,
        trace: Trace,
    ) -> Result<Response<WasiBody>, Problem> {
        let limits = component.limits();
        if announced_length(request.headers()).is_some_and(|length| length > limits.body) {
            return Err(Problem::PayloadTooLarge { limit: limits.body });
        }
        let call = component.arriving(trace);
        let mut request = absolute(request).ok_or(Problem::BadRequest)?;
        headers::routed(&mut request, found, client);
        request.headers_mut().remove(CONNECTION);
        call.mark(request.headers_mut());
        let exceeded = Arc::new(AtomicBool::new(false));
        let request = request.map(|body| {
            let body = body.map_err(Error::from).boxed_unsync();
            Limited::new(body, limits.body, exceeded.clone()).boxed_unsync()
        });
        let answer = component.handle(request, call.clone()).await;
        if let Err(error) = call.settle().await {
            warn!(component = component.id(), %error, "an answer was withheld");
            return Err(Problem::NotKept);
        }
        // A body of unknown length was too long after all: what the guest makes of half a body does not count.
        match exceeded.load(Ordering::Acquire) {
            true => Err(Problem::PayloadTooLarge { limit: limits.body }),
            false => answer,
        }
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Gives the URI the authority that the client meant, from the URI itself (HTTP/2) or the `Host` header (HTTP/1).
fn absolute(mut request: Request<Incoming>) -> Option<Request<Incoming>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let named = match request.headers().get(HOST) {
        Some(host) => Some(host.to_str().ok()?.parse::<Authority>().ok()?),
        None => None,
    };
    let authority = match (named, parts.authority.take()) {
        (Some(host), Some(authority)) if host != authority => return None,
        (Some(host), _) => host,
        (None, Some(authority)) => authority,
        (None, None) => Authority::from_static("localhost"),
    };
    if !request.headers().contains_key(HOST) {
        request
            .headers_mut()
            .insert(HOST, authority.as_str().parse().ok()?);
    }
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

//! HTTP client for outbound requests: pooled connections, plain or TLS, with `TCP_NODELAY` set.
//!
//! A pooled connection may be dead without the host knowing: a NAT or a balancer has forgotten it, and resets it when it
//! is used again. Such a failure says nothing about the server, so a request that may be sent twice is sent once more on
//! a new connection ([`answered`]), and another one ends with [`Error::ConnectionTerminated`]. Where one connection is
//! dead, the others often are, so that all idle ones are closed. A request that hyper has not begun to write when its
//! connection closes is sent on another one by hyper itself, whatever its method.
//!
//! Why a remote host cannot be used is logged once in a while for each cause.

mod answered;
mod pools;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error as ClientError;
use hyper_util::client::legacy::connect::capture_connection;
use tracing::warn;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::dispatch_marker::DispatchMarker;
use crate::fault_injection::RemoteFaults;
use crate::log_limiter::LogLimiter;
use crate::replay::Replay;
use answered::AnsweredConnections;
use config::policy::links::origin;
pub use pools::tls_config;
use pools::{ConnectionReuse, DEFAULT_CONNECT_TIMEOUT, Pools};

pub use pools::{Connections, HttpVersion};

/// A connection that has carried no response for so long may have been forgotten on its way to the server. One that breaks
/// sooner was broken by the server.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);

/// Lines about the same cause in ten seconds.
static CAUSES: LazyLock<LogLimiter> = LazyLock::new(|| LogLimiter::new(1));

/// The media type of a problem document, whatever its parameters.
const PROBLEM_TYPE: &[u8] = b"application/problem+json";

/// Sends requests; clones share their connections.
#[derive(Clone, Default)]
pub struct HttpClient {
    pools: Arc<Pools>,
    answered: Arc<AnsweredConnections>,
    /// The component that sends, for the log.
    component: Arc<str>,
    /// Injected faults, when fault injection is enabled.
    faults: Option<RemoteFaults>,
}

impl HttpClient {
    /// The client for one component, with these injected faults.
    #[must_use]
    pub fn of_component(mut self, component: &str, faults: Option<RemoteFaults>) -> Self {
        self.component = component.into();
        self.faults = faults;
        self
    }

    /// Sends a request and waits at most `timeout` for the head of its response. `connect` is the connect timeout.
    ///
    /// # Errors
    /// The error to return to the guest: no connection, no response in time, or an invalid response.
    pub async fn send(
        &self,
        mut request: Request<WasiBody>,
        timeout: Duration,
        connect: Option<Duration>,
    ) -> Result<Response<WasiBody>, Error> {
        let started = Instant::now();
        DispatchMarker::mark_dispatched(&request);
        let origin = origin(request.uri());
        if let Some(faults) = &self.faults
            && let Some(origin) = &origin
            && let Some(answer) = faults.inject(origin, timeout).await?
        {
            return Ok(answer);
        }
        let timeout = timeout.saturating_sub(started.elapsed());
        let method = request.method().clone();
        *request.version_mut() = Version::HTTP_11;
        let connect = connect.unwrap_or(DEFAULT_CONNECT_TIMEOUT);
        let sent = tokio::time::timeout(timeout, self.send_and_resend(request, connect)).await;
        let response = match sent {
            Ok(Ok(response)) => {
                if is_unusable(&method, &response) {
                    let cause = format!("it answers {}", response.status());
                    self.report(origin.as_deref(), &cause);
                }
                response
            }
            Ok(Err(SendError::Forgotten)) => return Err(Error::ConnectionTerminated),
            Ok(Err(SendError::Failed(error))) => {
                self.report(origin.as_deref(), &cause(&error));
                return Err(guest_error(&error));
            }
            Err(_) => {
                self.report(origin.as_deref(), "no answer in time");
                return Err(Error::ConnectionReadTimeout);
            }
        };
        Ok(response.map(|body| body.map_err(Error::from).boxed_unsync()))
    }

    /// Sends a request, and sends it once more on a new connection if a used connection was dead.
    async fn send_and_resend(
        &self,
        request: Request<WasiBody>,
        connect: Duration,
    ) -> Result<Response<Incoming>, SendError> {
        let (mut request, copy) = Replay::of(request).await;
        let connection = capture_connection(&mut request);
        let connections = self.pools.get(connect, ConnectionReuse::Pooled);
        let error = match connections.request(request).await {
            Ok(response) => {
                self.answered.note(response.extensions());
                return Ok(response);
            }
            Err(error) => error,
        };
        let unused = self.answered.forget(&connection);
        let Some(unused) = unused.filter(|_| !error.is_connect()) else {
            return Err(SendError::Failed(error));
        };
        self.pools.renew(connect);
        match copy {
            Some(copy) => {
                let connections = self.pools.get(connect, ConnectionReuse::None);
                let sent = connections.request(copy.request()).await;
                sent.map_err(SendError::Failed)
            }
            None if unused >= FORGOTTEN_AFTER => Err(SendError::Forgotten),
            None => Err(SendError::Failed(error)),
        }
    }

    fn report(&self, origin: Option<&str>, cause: &str) {
        let (component, origin) = (&*self.component, origin.unwrap_or_default());
        if let Some(suppressed) = CAUSES.admit(&format!("{component} {origin} {cause}")) {
            warn!(
                component,
                origin, cause, suppressed, "a remote host cannot be used"
            );
        }
    }
}

/// Why a request has no response.
#[derive(Debug)]
enum SendError {
    /// It may not be sent twice, and its connection had been forgotten.
    Forgotten,
    /// Anything else.
    Failed(ClientError),
}

/// Whether an answer means that the remote host cannot be used: wrong credentials, a wrong address, a failure.
///
/// An application answers 403, 404 and 405 about its resources, with a problem document or to a request for one resource;
/// anything else that answers so is another server, or none of the addresses of this one.
fn is_unusable<B>(method: &Method, response: &Response<B>) -> bool {
    let status = response.status();
    let media_type = response.headers().get(CONTENT_TYPE);
    let is_problem = media_type.is_some_and(|it| it.as_bytes().starts_with(PROBLEM_TYPE));
    match status.as_u16() {
        401 | 407 => true,
        403 | 405 => !is_problem,
        404 => !is_problem && !matches!(*method, Method::GET | Method::HEAD | Method::DELETE),
        _ => status.is_redirection() || status.is_server_error(),
    }
}

/// Connections for requests of the host itself.
pub fn connections(version: HttpVersion) -> Connections {
    pools::open(DEFAULT_CONNECT_TIMEOUT, ConnectionReuse::Pooled, version)
}

/// The error with all its causes: the outermost ones say little.
pub fn cause(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let part = cause.to_string();
        if !text.contains(&part) {
            text += ": ";
            text += &part;
        }
        source = cause.source();
    }
    text
}

fn guest_error(error: &ClientError) -> Error {
    if !error.is_connect() {
        return Error::InternalError(Some(error.to_string()));
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            match io.kind() {
                std::io::ErrorKind::TimedOut => return Error::ConnectionTimeout,
                std::io::ErrorKind::ConnectionRefused => return Error::ConnectionRefused,
                _ => {}
            }
        }
        source = cause.source();
    }
    // A name that does not resolve and a failed handshake both end here.
    Error::DestinationUnavailable
}

#[cfg(test)]
mod tests;

//! HTTP client for outbound requests: pooled connections, plain or TLS, with `TCP_NODELAY` set.
//!
//! A pooled connection may be dead without the host knowing: a NAT or a balancer has forgotten it, and resets it when it
//! is used again. Such a failure says nothing about the server, so a request that may be sent twice is sent once more on
//! a new connection ([`answered`]). Why a remote host cannot be used is logged once in a while for each cause.

mod answered;
mod pools;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use http::{Request, Response, Version};
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

/// Lines about the same cause in ten seconds.
static CAUSES: LazyLock<LogLimiter> = LazyLock::new(|| LogLimiter::new(1));

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
        *request.version_mut() = Version::HTTP_11;
        let connect = connect.unwrap_or(DEFAULT_CONNECT_TIMEOUT);
        let sent = tokio::time::timeout(timeout, self.send_and_resend(request, connect)).await;
        let response = match sent {
            Ok(Ok(response)) => {
                self.report_status(origin.as_deref(), &response);
                response
            }
            Ok(Err(error)) => {
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
    ) -> Result<Response<Incoming>, ClientError> {
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
        let is_dead = !error.is_connect() && self.answered.forget(&connection);
        match copy.filter(|_| is_dead) {
            Some(copy) => {
                let connections = self.pools.get(connect, ConnectionReuse::None);
                connections.request(copy.request()).await
            }
            None => Err(error),
        }
    }

    /// Reports an answer by which the remote host cannot be used: wrong credentials, a wrong address, a failure.
    fn report_status(&self, origin: Option<&str>, response: &Response<Incoming>) {
        let status = response.status();
        let is_unusable = status.is_redirection() || status.is_server_error();
        if is_unusable || matches!(status.as_u16(), 401 | 403 | 404 | 405 | 407) {
            self.report(origin, &format!("it answers {status}"));
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

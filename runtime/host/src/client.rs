//! HTTP client for outbound requests: pooled connections, plain or TLS, with `TCP_NODELAY` set.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::dispatch_marker::DispatchMarker;
use crate::fault_injection::RemoteFaults;
use config::policy::links::origin;

/// Default connect timeout.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time after which an idle connection is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of pools, one for each connect timeout that guests request; beyond it, the default timeout applies.
const MAX_POOLS: usize = 16;

type Connections = Pool<HttpsConnector<HttpConnector>, WasiBody>;

/// Sends requests; clones share their connections.
#[derive(Clone, Default)]
pub struct HttpClient {
    pools: Arc<Mutex<HashMap<Duration, Connections>>>,
    /// Injected faults, when fault injection is enabled.
    faults: Option<RemoteFaults>,
}

impl HttpClient {
    /// Returns the client with these injected faults.
    #[must_use]
    pub fn with_faults(mut self, faults: Option<RemoteFaults>) -> Self {
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
        if let Some(faults) = &self.faults
            && let Some(origin) = origin(request.uri())
            && let Some(answer) = faults.inject(&origin, timeout).await?
        {
            return Ok(answer);
        }
        let timeout = timeout.saturating_sub(started.elapsed());
        let connections = self.connections(connect.unwrap_or(DEFAULT_CONNECT_TIMEOUT));
        *request.version_mut() = Version::HTTP_11;
        let response = tokio::time::timeout(timeout, connections.request(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| guest_error(&error))?;
        Ok(response.map(|body| body.map_err(Error::from).boxed_unsync()))
    }

    fn connections(&self, connect: Duration) -> Connections {
        let mut pools = self.pools.lock();
        let connect = if pools.len() < MAX_POOLS || pools.contains_key(&connect) {
            connect
        } else {
            DEFAULT_CONNECT_TIMEOUT
        };
        pools
            .entry(connect)
            .or_insert_with(|| open(connect))
            .clone()
    }
}

fn open(connect: Duration) -> Connections {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect));
    let tls = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Pool::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .build(tls)
}

fn guest_error(error: &hyper_util::client::legacy::Error) -> Error {
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

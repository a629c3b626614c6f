//! Outgoing HTTP over the network: pooled connections, plain or TLS, without Nagle's delay.

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

/// How long a connection may take when the guest does not say.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a connection is kept for the next request.
const KEEP: Duration = Duration::from_secs(30);

/// How many connect timeouts that guests ask for get a pool of their own; beyond, [`CONNECT`] applies.
const POOLS: usize = 16;

type Connections = Pool<HttpsConnector<HttpConnector>, WasiBody>;

/// Sends requests; clones share their connections.
#[derive(Clone, Default)]
pub struct HttpClient {
    pools: Arc<Mutex<HashMap<Duration, Connections>>>,
    /// Where the platform makes trouble on request.
    faults: Option<RemoteFaults>,
}

impl HttpClient {
    /// The same client, for experiments.
    #[must_use]
    pub fn with_faults(mut self, faults: Option<RemoteFaults>) -> Self {
        self.faults = faults;
        self
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// What the guest is to be told: no connection, no answer in time, or no HTTP.
    pub async fn send(
        &self,
        mut request: Request<WasiBody>,
        patience: Duration,
        connect: Option<Duration>,
    ) -> Result<Response<WasiBody>, Error> {
        let begun = Instant::now();
        DispatchMarker::mark_dispatched(&request);
        if let Some(faults) = &self.faults
            && let Some(origin) = origin(request.uri())
            && let Some(answer) = faults.inject(&origin, patience).await?
        {
            return Ok(answer);
        }
        let patience = patience.saturating_sub(begun.elapsed());
        let connections = self.connections(connect.unwrap_or(CONNECT));
        *request.version_mut() = Version::HTTP_11;
        let response = tokio::time::timeout(patience, connections.request(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| told(&error))?;
        Ok(response.map(|body| body.map_err(Error::from).boxed_unsync()))
    }

    fn connections(&self, connect: Duration) -> Connections {
        let mut pools = self.pools.lock();
        let connect = if pools.len() < POOLS || pools.contains_key(&connect) {
            connect
        } else {
            CONNECT
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
        .pool_idle_timeout(KEEP)
        .pool_timer(TokioTimer::new())
        .build(tls)
}

fn told(error: &hyper_util::client::legacy::Error) -> Error {
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
    // Names that do not resolve and handshakes that fail both end here.
    Error::DestinationUnavailable
}

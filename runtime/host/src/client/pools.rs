//! The connection pools of a client, and the certificates that it trusts.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;
use rustls::{ClientConfig, RootCertStore};
use tracing::warn;
use wasmtime_wasi_http::WasiBody;

/// Default connect timeout.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time after which an idle connection is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of pools, one for each connect timeout that guests request; beyond it, the default timeout applies.
const MAX_POOLS: usize = 16;

pub type Connections = Pool<HttpsConnector<HttpConnector>, WasiBody>;

/// Whether a request may take a connection that was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionReuse {
    Pooled,
    None,
}

/// The version of HTTP that connections speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    Http1,
    /// Negotiated over TLS, and with prior knowledge otherwise.
    Http2,
}

/// One pool for each connect timeout.
#[derive(Default)]
pub struct Pools(Mutex<HashMap<(Duration, ConnectionReuse), Connections>>);

/// The trusted certificates: those of Mozilla, and those of the system or of `SSL_CERT_FILE`.
static TLS: LazyLock<ClientConfig> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        warn!(%error, "trusted certificates of the system cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
});

/// The certificates that every connection of the host trusts.
pub fn tls_config() -> ClientConfig {
    TLS.clone()
}

// === impl Pools ===

impl Pools {
    /// The connections with this connect timeout.
    pub fn get(&self, connect: Duration, reuse: ConnectionReuse) -> Connections {
        let mut pools = self.0.lock();
        let connect = known_timeout(&pools, connect, reuse);
        let pool = pools.entry((connect, reuse));
        let new = || open(connect, reuse, HttpVersion::Http1);
        pool.or_insert_with(new).clone()
    }

    /// Closes the idle connections with this connect timeout. The calls under way are not affected.
    pub fn renew(&self, connect: Duration) {
        let mut pools = self.0.lock();
        let connect = known_timeout(&pools, connect, ConnectionReuse::Pooled);
        pools.remove(&(connect, ConnectionReuse::Pooled));
    }
}

/// The connect timeout itself, or the default when there are as many pools as may be.
fn known_timeout(
    pools: &HashMap<(Duration, ConnectionReuse), Connections>,
    connect: Duration,
    reuse: ConnectionReuse,
) -> Duration {
    match pools.len() < MAX_POOLS || pools.contains_key(&(connect, reuse)) {
        true => connect,
        false => DEFAULT_CONNECT_TIMEOUT,
    }
}

/// Connections with this connect timeout and version.
pub fn open(connect: Duration, reuse: ConnectionReuse, version: HttpVersion) -> Connections {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect));
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(TLS.clone())
        .https_or_http();
    let tls = match version {
        HttpVersion::Http1 => tls.enable_http1().wrap_connector(tcp),
        HttpVersion::Http2 => tls.enable_http2().wrap_connector(tcp),
    };
    let mut pool = Pool::builder(TokioExecutor::new());
    pool.pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .http2_only(version == HttpVersion::Http2);
    if reuse == ConnectionReuse::None {
        pool.pool_max_idle_per_host(0);
    }
    pool.build(tls)
}

//! The service behind a listener.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use wasmtime_wasi_http::WasiBody;

use super::ClientInfo;
use config::policy::ListenerLimits;

/// Answers the requests of a listener.
pub trait HttpService: Send + Sync + 'static {
    /// The limits of connections that are accepted from now on.
    fn limits(&self) -> Arc<ListenerLimits>;

    /// How long the requests in progress may still take when the platform stops.
    fn drain_time(&self) -> Duration;

    /// Answers one request.
    fn answer(
        &self,
        request: Request<Incoming>,
        client: &ClientInfo,
    ) -> impl Future<Output = Response<WasiBody>> + Send;
}

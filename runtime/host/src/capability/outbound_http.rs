//! `wasi:http/client`: the outgoing HTTP requests of an instance.
//!
//! The manifest must allow the host of a request, and the number of requests in flight per instance is bounded. How a
//! request is sent is behind [`OutboundHttp`]. A guest gets an error that it can handle, never a trap. A response of
//! the host itself tells whether the request was dispatched ([`crate::dispatch_marker`]).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderName, Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tracing::warn;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

use super::Grants;
use crate::body::GuardedBody;
use crate::call::Call;

/// The most requests of one instance in flight at the same time: each takes a socket, or a permit of another component.
const MAX_REQUESTS: usize = 64;

type Sent = Result<(Response<WasiBody>, Io), Error>;
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// The response to an outgoing request, or the error for the guest.
pub type OutboundResponse = Pin<Box<dyn Future<Output = Result<Response<WasiBody>, Error>> + Send>>;

/// Sends the outgoing HTTP requests of one component.
pub trait OutboundHttp: Send + Sync {
    /// Starts a request that the manifest allows. `call` is the call on whose behalf the component sends it, `options`
    /// are the timeouts that the guest set. The implementation keeps the deadline of the call and adds its trace
    /// headers.
    ///
    /// # Errors
    /// The error for the guest, when the host of the request leads nowhere or calls are nested too deeply.
    fn send(
        &self,
        request: Request<WasiBody>,
        call: &Call,
        options: RequestOptions,
    ) -> Result<OutboundResponse, Error>;
}

/// The hooks of Wasmtime for the outgoing requests of one instance.
pub struct HttpHooks {
    pub(super) call: Option<Call>,
    grants: Arc<Grants>,
    /// A permit is held until the last byte of a response.
    permits: Arc<Semaphore>,
}

// === impl HttpHooks ===

impl HttpHooks {
    pub(super) fn new(grants: Arc<Grants>) -> Self {
        Self {
            call: None,
            grants,
            permits: Arc::new(Semaphore::new(MAX_REQUESTS)),
        }
    }

    fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<OutboundResponse, Error> {
        let uri = request.uri();
        let (scheme, host) = (
            uri.scheme_str().unwrap_or_default(),
            uri.host().unwrap_or_default(),
        );
        if !self
            .grants
            .allowed_hosts
            .allows(scheme, host, uri.port_u16())
        {
            let component = &*self.grants.component;
            warn!(component, %uri, "outgoing request denied: not in allowed_outbound_hosts");
            return Err(Error::HttpRequestDenied);
        }
        let call = self.call.as_ref().ok_or(Error::ConfigurationError)?;
        self.grants.outbound_http.send(request, call, options)
    }
}

impl WasiHttpHooks for HttpHooks {
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
        let sent = self.send(request, options.unwrap_or_default());
        let permit = self.permits.clone().try_acquire_owned();
        Box::new(async move {
            let permit = permit.map_err(|_| Error::ConnectionLimitReached)?;
            let response = sent?.await?;
            let response = response.map(|body| GuardedBody::new(body, permit).boxed_unsync());
            Ok((response, Box::new(std::future::ready(Ok(()))) as Io))
        })
    }
}

//! The HTTP interface for operators: the admin listener.
//!
//! It has a port of its own, so that no client of the public port can reach it. By default it listens on the loopback
//! interface, where any program of this machine may use it, but no page in a browser ([`guard`]); on any other address
//! it requires a token. Its address is in the file `admin` of the state directory, where the other commands of this
//! program find it ([`client`]). The page of the platform reaches the same resources on the public port, below
//! `/operations`, under the rules of that port ([`crate::trigger::http`]).
//!
//! Each resource is one file here with a function `routes`, whose result [`crate::app`] adds by [`Admin::with`].
//! A handler is a plain function of the state it needs and an [`AdminRequest`], and returns an [`AdminResponse`].
//! Bodies are short and JSON; errors are problem documents, as on the public port.

pub mod breakers;
pub mod chaos;
pub mod client;
pub mod dead_letters;
pub mod guard;
pub mod instances;
pub mod listener;
pub mod metrics;
pub mod rebuild;
pub mod reload;
pub mod response;
pub mod routes;
pub mod stores;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use tracing::info;
use wasmtime_wasi_http::WasiBody;

use crate::cli::AdminOptions;
use crate::identity::Identity;
use crate::operator_resources::OperatorResources;
use crate::platform_events;
use event_log::EventLog;
use serde_json::json;

pub use listener::{AdminListener, AdminService, remove_stale_address};
pub use response::{AdminError, AdminResponse};
pub use routes::{AdminRequest, AdminRoutes};

use guard::AdminGuard;
use routes::AdminRoute;

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How long the head, and then the body, of a request may take to arrive.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The file of the state directory that holds the address.
const ADDRESS_FILE: &str = "admin";

/// The file of the state directory that holds the address as a URL.
const URL_FILE: &str = "admin-url";

/// The resources of the admin listener.
pub struct Admin {
    guard: AdminGuard,
    routes: Vec<AdminRoute>,
    /// Where the actions of operators are announced, and the name of this host.
    announcements: Option<(Arc<dyn EventLog>, String)>,
}

// === impl Admin ===

impl Admin {
    /// No resource yet; the options and the identity decide which clients are admitted.
    ///
    /// # Errors
    /// When other machines can reach the address and there is neither a token nor an identity.
    pub fn new(options: &AdminOptions, identity: Option<Arc<Identity>>) -> anyhow::Result<Self> {
        let (address, token) = (options.admin_listen, options.admin_token.clone());
        Ok(Self {
            guard: AdminGuard::new(address, token, identity)?,
            routes: Vec::new(),
            announcements: None,
        })
    }

    /// Announces what operators do on this log, as the host of this name.
    #[must_use]
    pub fn announcing(mut self, log: Arc<dyn EventLog>, host: String) -> Self {
        self.announcements = Some((log, host));
        self
    }

    /// Adds routes.
    #[must_use]
    pub fn with<S>(mut self, routes: AdminRoutes<S>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Answers one request. `arriving` is dropped when the body has arrived.
    pub async fn respond<B>(&self, request: Request<B>, arriving: impl Send) -> Response<WasiBody>
    where
        B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
    {
        match self.try_respond(request, arriving).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        }
    }

    async fn try_respond<B>(&self, mut request: Request<B>, arriving: impl Send) -> AdminResponse
    where
        B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
    {
        name_host(&mut request);
        let actor = self.guard.admit(request.headers()).await?;
        self.handle(request, &actor, arriving).await
    }

    /// Handles a request that was admitted, of this actor. `arriving` is dropped when the body has arrived.
    ///
    /// # Errors
    /// The response for a request that cannot be handled.
    pub async fn handle<B>(
        &self,
        request: Request<B>,
        actor: &str,
        arriving: impl Send,
    ) -> AdminResponse
    where
        B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
    {
        let (head, body) = request.into_parts();
        let (route, parameters) = routes::find(&self.routes, &head.method, head.uri.path())?;
        let request = AdminRequest {
            parameters,
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: read(body).await?,
        };
        drop(arriving);
        let changes_something = head.method != Method::GET && head.method != Method::HEAD;
        if changes_something {
            info!(method = %head.method, path = head.uri.path(), actor, "operator request");
        }
        let handled = route.handle(request).await;
        if changes_something && handled.is_ok() {
            self.announce(&head.method, head.uri.path(), actor);
        }
        handled
    }

    /// Announces a request that was handled. The operator does not wait for the log.
    fn announce(&self, method: &Method, path: &str, actor: &str) {
        let Some((log, host)) = self.announcements.clone() else {
            return;
        };
        let data = json!({ "method": method.as_str(), "path": path });
        let now = SystemTime::now();
        let mut event = platform_events::event("OperatorRequestHandled", path, &host, now, data);
        event["actor"] = json!(actor);
        tokio::spawn(async move { platform_events::append(&*log, &event).await });
    }
}

#[async_trait]
impl OperatorResources for Admin {
    async fn answer(&self, request: Request<WasiBody>, actor: &str) -> Response<WasiBody> {
        match self.handle(request, actor, ()).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        }
    }
}

/// Writes the authority of a request over HTTP/2 into `Host`, which the guard reads.
fn name_host<B>(request: &mut Request<B>) {
    let authority = request.uri().authority();
    let authority = authority.and_then(|it| HeaderValue::from_str(it.as_str()).ok());
    if let Some(authority) = authority.filter(|_| !request.headers().contains_key(HOST)) {
        request.headers_mut().insert(HOST, authority);
    }
}

async fn read<B>(body: B) -> Result<Bytes, AdminError>
where
    B: Body<Error: std::error::Error + Send + Sync + 'static>,
{
    let body = tokio::time::timeout(RECEIVE_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    match body {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(AdminError::too_long(MAX_BODY)),
        Ok(Err(_)) | Err(_) => Err(AdminError::bad_request(
            "the body did not arrive completely",
        )),
    }
}

//! The admin listener: the HTTP interface for operators.
//!
//! It has a port of its own, so that no client of the public port can reach it. By default it listens on the loopback
//! interface, where any program of this machine may use it, but no page in a browser ([`guard`]); on any other address
//! it requires a token. Its address is in the file `admin` of the state directory, where the other commands of this
//! program find it ([`client`]).
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
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use tracing::info;
use wasmtime_wasi_http::WasiBody;

use crate::cli::AdminOptions;

pub use listener::{AdminListener, AdminService};
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
}

// === impl Admin ===

impl Admin {
    /// No resource yet; the options decide which clients are admitted.
    ///
    /// # Errors
    /// When other machines can reach the address and no token is set.
    pub fn new(options: &AdminOptions) -> anyhow::Result<Self> {
        Ok(Self {
            guard: AdminGuard::new(options.admin_listen, options.admin_token.clone())?,
            routes: Vec::new(),
        })
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

    async fn try_respond<B>(&self, request: Request<B>, arriving: impl Send) -> AdminResponse
    where
        B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
    {
        self.guard.check(request.headers())?;
        let (head, body) = request.into_parts();
        let (route, parameters) = routes::find(&self.routes, &head.method, head.uri.path())?;
        let request = AdminRequest {
            parameters,
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: read(body).await?,
        };
        drop(arriving);
        if head.method != Method::GET && head.method != Method::HEAD {
            info!(method = %head.method, path = head.uri.path(), "operator request");
        }
        route.handle(request).await
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

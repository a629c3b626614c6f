//! The admin listener: where operators look at the platform and steer it.
//!
//! It is a port of its own, so that nothing that customers reach can steer anything. On the loopback interface, where
//! it is by default, whoever is on this machine may use it, but no page in somebody's browser ([`guard`]); anywhere
//! else it asks for a token. Its address is in the file `admin` of the state directory, where the other commands of
//! this program find it ([`client`]).
//!
//! One thing to see or to steer is one file here. It has a function `routes`, whose result [`crate::app`] adds with
//! [`Admin::with`]; handlers are plain functions from the state they need and what was [`Asked`] to an [`Answer`].
//! Bodies are short and JSON, refusals are problem documents as everywhere else.

pub mod answer;
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

pub use answer::{Answer, Refusal};
pub use listener::AdminListener;
pub use routes::{Asked, Routes};

use guard::Guard;
use routes::Route;

/// Bytes of a request's body.
const LONGEST_BODY: usize = 64 * 1024;

/// How long the head, and then the body, of a request may take to arrive.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The file of the state directory with the address.
const ADDRESS_FILE: &str = "admin";

/// Everything that can be seen and steered.
pub struct Admin {
    guard: Guard,
    routes: Vec<Route>,
}

// === impl Admin ===

impl Admin {
    /// Nothing yet, for whom the options let in.
    ///
    /// # Errors
    /// When other machines could reach it and there is no token.
    pub fn new(options: &AdminOptions) -> anyhow::Result<Self> {
        Ok(Self {
            guard: Guard::new(options.admin_listen, options.admin_token.clone())?,
            routes: Vec::new(),
        })
    }

    /// The same and these.
    #[must_use]
    pub fn with<S>(mut self, routes: Routes<S>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// What is to be said to this request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<WasiBody>
    where
        B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
    {
        match self.try_answer(request).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(),
        }
    }

    async fn try_answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
    {
        self.guard.check(request.headers())?;
        let (head, body) = request.into_parts();
        let (route, parameters) = routes::find(&self.routes, &head.method, head.uri.path())?;
        let asked = Asked {
            parameters,
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: read(body).await?,
        };
        if head.method != Method::GET && head.method != Method::HEAD {
            info!(method = %head.method, path = head.uri.path(), "steered by an operator");
        }
        route.handle(asked).await
    }
}

async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: Body<Error: std::error::Error + Send + Sync + 'static>,
{
    let body =
        tokio::time::timeout(RECEIVE_TIMEOUT, Limited::new(body, LONGEST_BODY).collect()).await;
    match body {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::too_long(LONGEST_BODY)),
        Ok(Err(_)) | Err(_) => Err(Refusal::bad_request("the body did not arrive")),
    }
}

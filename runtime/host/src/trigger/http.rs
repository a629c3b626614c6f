//! HTTP trigger: routes a request to its component.
//!
//! The host itself answers the health paths, static responses and rejections; a component answers every other request.
//! Every response carries the request id. The [`listener`] accepts and limits connections.

pub mod answer_budget;
mod authority;
pub mod capacity;
mod connection;
pub mod connections;
mod host_responses;
pub mod listener;
mod monitored_io;
pub mod rejections;
pub mod request_log;
mod service;
mod streams;
pub mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::header::CONNECTION;
use ::http::{HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use resilience::Priority;
use tracing::warn;
use wasmtime_wasi_http::WasiBody;

use crate::body::GuardedBody;
use crate::call::Call;
use crate::durable_body::DurableBody;
use crate::generation::CurrentGeneration;
use crate::headers;
use crate::health::Health;
use crate::ingress::Ingress;
use crate::link::PrepareRequest;
use crate::problem::Problem;
use crate::trace::REQUEST_ID;
use crate::trace::Trace;
use answer_budget::AnswerBudget;
use authority::absolute;
use config::manifest::{RouteHandler, RouteMatch};
use config::policy::{ListenerLimits, MethodPriorities};
use connections::{ConnectionState, ConnectionTracker};
use host_responses::{fixed, is_preflight, preflight, server_options};
use rejections::RejectionReason;
use request_log::{LoggedRequest, RequestLog};

pub use listener::{bind, serve};
pub use service::HttpService;

/// State shared by all requests of the HTTP server.
pub struct Server {
    /// Generation that receives new requests.
    pub current: CurrentGeneration,
    /// Responses of the health paths.
    pub health: Health,
    /// Log of the requests.
    pub log: RequestLog,
    /// The answers that wait for their clients.
    pub answers: AnswerBudget,
}

/// The client of a request.
#[derive(Clone)]
pub struct ClientInfo {
    /// Socket address of the client.
    pub address: SocketAddr,
    /// State of the connection.
    pub connection: Arc<ConnectionState>,
    /// Whether the connection is within the connection limit. Other connections can only use the health paths.
    pub admitted: bool,
    /// All connections of the listener.
    pub tracker: Arc<ConnectionTracker>,
}

// === impl Server ===

impl HttpService for Server {
    fn limits(&self) -> Arc<ListenerLimits> {
        self.current.get().listener.clone()
    }

    fn drain_time(&self) -> Duration {
        self.current.get().drain_time()
    }

    async fn answer(&self, request: Request<Incoming>, client: &ClientInfo) -> Response<WasiBody> {
        let request_guard = client.connection.begin_request();
        let trace = Trace::of(request.headers());
        let request_id = trace.request_id.clone();
        let can_be_closed = request.version() < Version::HTTP_2;
        let is_head = request.method() == Method::HEAD;
        let is_preflight = is_preflight(&request);
        let mut logged = LoggedRequest {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            request_id: trace.id().to_owned(),
            since: Instant::now(),
            component: None,
        };
        let result = self.route(request, client, trace, &mut logged).await;
        if !self.health.is_health_path(&logged.path) {
            self.log.ended(&logged, &result);
        }
        let mut response = match result {
            Ok(response) => response,
            Err(problem) => {
                RejectionReason::of(&problem)
                    .into_iter()
                    .for_each(RejectionReason::count);
                match is_preflight && problem.is_temporary() {
                    true => preflight(),
                    false => problem.response(),
                }
            }
        };
        if is_head {
            response = response.map(|_| WasiBody::default());
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, request_id);
        if can_be_closed && (!client.admitted || client.connection.has_unread_body()) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let limit = streams::AnswerLimit {
            answers: &self.answers,
            bytes: self.limits().answers,
        };
        response.map(|body| {
            let body = GuardedBody::new(body, request_guard).boxed_unsync();
            streams::watched(body, &client.connection, limit)
        })
    }
}

impl Server {
    async fn route(
        &self,
        request: Request<Incoming>,
        client: &ClientInfo,
        trace: Trace,
        logged: &mut LoggedRequest,
    ) -> Result<Response<WasiBody>, Problem> {
        let path = request.uri().path().to_owned();
        if let Some(response) = self.health.answer(request.uri(), request.method()) {
            return Ok(response);
        }
        if !client.admitted {
            return Err(Problem::TooManyClients);
        }
        if path == "*" {
            return server_options(request.method());
        }
        let generation = self.current.get();
        let found = generation.routes.route(&path).ok_or(Problem::NotFound)?;
        match &found.route.handler {
            RouteHandler::Static(response) => Ok(fixed(response)),
            RouteHandler::Component(id) => {
                logged.component = Some(id.to_string());
                let ingress = generation.components.get(id.as_str());
                let ingress = ingress.ok_or(Problem::NotFound)?;
                let (mut head, body) = request.into_parts();
                let proxies = &generation.listener.trusted_proxies;
                let proxy = client.address.ip();
                if !proxies.iter().any(|trusted| trusted.contains(proxy)) {
                    headers::strip_forwarded(&mut head.headers);
                }
                let body = upload::receive(
                    &head.headers,
                    body,
                    ingress.component.config().max_body,
                    &generation.listener,
                    upload::UploadBudget {
                        bytes: &generation.upload_budget,
                        client,
                    },
                );
                let body = body.await.map_err(|refusal| {
                    if refusal.unread {
                        client.connection.leave_body_unread();
                    }
                    refusal.problem
                })?;
                let request = Request::from_parts(head, body.into_body());
                let request = absolute(request).ok_or(Problem::BadRequest)?;
                call(ingress, request, &found, client, trace).await
            }
        }
    }
}

/// A request of a client with the route that it matched. Its headers are set when the call is admitted: in an overload,
/// a rejected call must cost as little as possible.
struct RoutedRequest<'a> {
    request: Request<WasiBody>,
    found: &'a RouteMatch<'a, 'a>,
    client: SocketAddr,
}

impl PrepareRequest for RoutedRequest<'_> {
    type Request = Request<WasiBody>;

    fn priority(&self, priorities: &MethodPriorities) -> Priority {
        priorities.of(self.request.method())
    }

    fn prepare(self, call: &Call) -> Request<WasiBody> {
        let mut request = self.request;
        headers::routed(&mut request, self.found, self.client);
        request.headers_mut().remove(CONNECTION);
        call.set_trace_headers(request.headers_mut());
        request
    }
}

async fn call(
    ingress: &Ingress,
    request: Request<WasiBody>,
    found: &RouteMatch<'_, '_>,
    client: &ClientInfo,
    trace: Trace,
) -> Result<Response<WasiBody>, Problem> {
    let call = ingress.component.incoming_call(trace);
    let client = client.address;
    let request = RoutedRequest {
        request,
        found,
        client,
    };
    // A rejection (`?`) carries no result of the component, so it does not wait for durability.
    let response = ingress.gateway.call(request, call.clone()).await?;
    if let Err(error) = call.wait_durable().await {
        warn!(component = ingress.component.id(), %error, "response withheld: its writes are not durable");
        return Err(Problem::NotDurable);
    }
    Ok(match call.may_write() && !response.body().is_end_stream() {
        true => response.map(|body| DurableBody::new(body, call).boxed_unsync()),
        false => response,
    })
}

//! HTTP trigger: routes a request to its component.
//!
//! The host itself answers the health paths, static responses and rejections; a component answers every other request.
//! Every response carries the request id. The [`listener`] accepts and limits connections.

pub mod answer_budget;
mod authority;
mod authorization_paths;
pub mod capacity;
mod change_stream;
pub mod client_limits;
mod connection;
pub mod connections;
mod date;
mod host_responses;
mod identity_paths;
pub mod listener;
mod monitored_io;
mod operations;
pub mod origins;
pub mod rejections;
mod request_form;
pub mod request_log;
pub mod request_metrics;
mod service;
pub mod streams;
mod takeover;
pub mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::header::CONNECTION;
use ::http::request::Parts;
use ::http::{HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use resilience::Priority;
use wasmtime_wasi_http::WasiBody;

use crate::body::GuardedBody;
use crate::call::Call;
use crate::changes::ChangeFeeds;
use crate::durable_body::DurableBody;
use crate::generation::{CurrentGeneration, Generation};
use crate::headers;
use crate::health::Health;
use crate::identity::Identity;
use crate::ingress::Ingress;
use crate::link::PrepareRequest;
use crate::operator_resources::OperatorResources;
use crate::principal::CallPrincipal;
use crate::problem::Problem;
use crate::span::{self, Span};
use crate::trace::REQUEST_ID;
use crate::trace::Trace;
use answer_budget::AnswerBudget;
use authority::absolute;
use client_limits::{ClientKey, ClientLimits, ClientPermit};
use config::manifest::{RouteHandler, RouteMatch, without_outer_slashes};
use config::policy::{ListenerLimits, MethodPriorities};
use connections::{ConnectionState, ConnectionTracker};
use host_responses::{fixed, is_preflight, preflight, server_options};
use origins::{ReadableBy, RequestOrigin};
use rejections::RejectionReason;
use request_log::{LoggedRequest, RequestLog};
use request_metrics::RequestMetrics;
use upload::{Received, UploadBudget};

pub use listener::{bind, serve};
pub use service::HttpService;

/// State shared by all requests of the HTTP server.
pub struct Server {
    /// Generation that receives new requests.
    pub current: CurrentGeneration,
    /// Responses of the health paths.
    pub health: Health,
    /// Who sends a request; absent on an open platform.
    pub identity: Option<Arc<Identity>>,
    /// What one client may use; absent on an open platform that only this machine reaches.
    pub client_limits: Option<ClientLimits>,
    /// Which pages may read the answers.
    pub readable_by: ReadableBy,
    /// Log of the requests.
    pub log: RequestLog,
    /// Durations of the requests.
    pub metrics: RequestMetrics,
    /// The answers that wait for their clients.
    pub answers: AnswerBudget,
    /// The changes of components.
    pub changes: ChangeFeeds,
    /// The resources for operators; absent on an open platform that other machines reach.
    pub operations: Option<Arc<dyn OperatorResources>>,
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
        let request = request_form::with_canonical_path(request);
        let request_guard = client.connection.begin_request();
        let trace = Trace::of(request.headers());
        let request_id = trace.request_id.clone();
        let mut span = self.start_span(&request, client, &trace);
        let trace = span.inner_trace(&trace).unwrap_or(trace);
        let can_be_closed = request.version() < Version::HTTP_2;
        let is_head = request.method() == Method::HEAD;
        let is_preflight = is_preflight(&request);
        let mut logged = LoggedRequest {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            trace,
            since: Instant::now(),
            route: None,
            component: None,
        };
        let limits = self.limits();
        let origin = RequestOrigin::of(request.headers(), &limits, self.readable_by);
        let result = self.route(request, &origin, client, &mut logged).await;
        note_result(&mut span, &logged, &result);
        let is_probe = self.health.is_health_path(&logged.path);
        if !is_probe {
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
        origin.narrow(headers);
        headers.insert(REQUEST_ID, request_id);
        if can_be_closed && (!client.admitted || client.connection.has_unread_body()) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let limit = streams::AnswerLimit {
            answers: &self.answers,
            bytes: limits.answers,
        };
        let timer = (!is_probe).then(|| self.metrics.timer(&logged, response.status()));
        response.map(|body| {
            let body = GuardedBody::new(body, (request_guard, span, timer)).boxed_unsync();
            streams::watched(body, &client.connection, limit)
        })
    }
}

impl Server {
    /// Starts the span of a request, which ends at the last byte of its response. Probes have none.
    fn start_span(&self, request: &Request<Incoming>, client: &ClientInfo, trace: &Trace) -> Span {
        match self.health.is_health_path(request.uri().path()) {
            true => Span::default(),
            false => span::http::server(request, client.address, trace),
        }
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        origin: &RequestOrigin,
        client: &ClientInfo,
        logged: &mut LoggedRequest,
    ) -> Result<Response<WasiBody>, Problem> {
        request_form::check(&request)?;
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
        match path.as_str() {
            identity_paths::PATH => {
                logged.route = Some(path);
                let identity = self.identity.as_deref();
                return Ok(identity_paths::describe(identity, request.method()));
            }
            identity_paths::TOKEN_PATH => {
                logged.route = Some(path);
                return identity_paths::sign_in(self, request, origin, client).await;
            }
            _ if authorization_paths::is_path(&path) => {
                logged.route = Some(path);
                return authorization_paths::answer(self, request, origin, client).await;
            }
            _ if operations::is_below(&path) => {
                logged.route = Some(operations::ROUTE.to_owned());
                return operations::answer(self, request, origin, client).await;
            }
            _ => {}
        }
        let generation = self.current.get();
        let mut changes = generation.changes.iter();
        let inner = without_outer_slashes(&path);
        if let Some(route) = changes.find(|it| it.path == inner) {
            logged.route = Some(route.path.clone());
            let (mut head, _) = request.into_parts();
            strip_untrusted(&mut head, client, &generation.listener);
            let (principal, token_time) = match self.authenticate_listener(&head).await {
                Ok((principal, token_time)) => (Ok(principal), token_time),
                Err(problem) => (Err(problem), None),
            };
            let (principal, permit) = self.admit(principal, &head, client, &generation.listener)?;
            let listener = change_stream::ListenerAccess {
                principal,
                token_time,
            };
            let request = Request::from_parts(head, ());
            let response =
                change_stream::answer(&self.changes, route, request, &listener, client).await?;
            return Ok(guarded(response, permit));
        }
        let found = generation.routes.route(&path).ok_or(Problem::NotFound)?;
        logged.route = Some(found.route.pattern().to_owned());
        match &found.route.handler {
            RouteHandler::Static(response) => Ok(fixed(response)),
            RouteHandler::Component(id) => {
                logged.component = Some(id.to_string());
                let ingress = generation.components.get(id.as_str());
                let ingress = ingress.ok_or(Problem::NotFound)?;
                let (mut head, body) = request.into_parts();
                strip_untrusted(&mut head, client, &generation.listener);
                let permitted = match origin.check(&head.method, &head.headers) {
                    Ok(()) => {
                        self.authenticate(&head, Some(id.as_str()), ingress.public)
                            .await
                    }
                    Err(problem) => Err(problem),
                };
                let permitted = self.admit(permitted, &head, client, &generation.listener);
                let limit = ingress.component.config().max_body;
                let body = self
                    .receive(&head, body, limit, &generation, client)
                    .await?;
                // Only now: a client that still sends its body would not read the response.
                let (principal, permit) = permitted?;
                if let Some(permit) = permit.as_ref().filter(|_| !head.method.is_safe()) {
                    permit.keep(body.length(), &generation.listener)?;
                }
                let request = Request::from_parts(head, body.into_body());
                let request = absolute(request).ok_or(Problem::BadRequest)?;
                let call = ingress.component.incoming_call(logged.trace.clone());
                let call = call.with_principal(principal);
                let response = call_component(ingress, request, &found, client, call).await?;
                Ok(guarded(response, permit))
            }
        }
    }

    /// Receives the whole body of a request, of at most `limit` bytes.
    async fn receive(
        &self,
        head: &Parts,
        body: Incoming,
        limit: u64,
        generation: &Generation,
        client: &ClientInfo,
    ) -> Result<Received, Problem> {
        let budget = UploadBudget {
            bytes: &generation.upload_budget,
            client,
        };
        let received =
            upload::receive(&head.headers, body, limit, &generation.listener, budget).await;
        received.map_err(|refusal| {
            if refusal.unread {
                client.connection.leave_body_unread();
            }
            refusal.problem
        })
    }

    /// The principal of a request with its permit. A request without a principal counts for the address that it comes from:
    /// to refuse tokens costs something, too.
    fn admit(
        &self,
        principal: Result<CallPrincipal, Problem>,
        request: &Parts,
        client: &ClientInfo,
        listener: &ListenerLimits,
    ) -> Result<(CallPrincipal, Option<ClientPermit>), Problem> {
        let Some(limits) = &self.client_limits else {
            return Ok((principal?, None));
        };
        let anonymous = CallPrincipal::anonymous();
        let counted = principal.as_ref().unwrap_or(&anonymous);
        let key = ClientKey::of(counted, &request.headers, client.address.ip(), listener);
        let permit = key.map(|key| limits.admit(key, listener)).transpose()?;
        Ok((principal?, permit))
    }

    /// The principal of a request for changes, and for how long its token is still accepted: the stream must not outlive
    /// it. No other part of the platform needs changes.
    async fn authenticate_listener(
        &self,
        request: &Parts,
    ) -> Result<(CallPrincipal, Option<Duration>), Problem> {
        match &self.identity {
            Some(identity) if request.method != Method::OPTIONS => {
                let authenticated = identity.authenticate_for_time(&request.headers).await;
                authenticated.map(|(principal, remaining)| (principal, Some(remaining)))
            }
            _ => Ok((self.authenticate(request, None, false).await?, None)),
        }
    }

    /// The principal of a request for a component, or for the host itself, which no other part of the platform needs.
    /// `OPTIONS` changes and reveals nothing, and browsers send no token with it.
    async fn authenticate(
        &self,
        request: &Parts,
        component: Option<&str>,
        public: bool,
    ) -> Result<CallPrincipal, Problem> {
        match &self.identity {
            None => Ok(CallPrincipal::Open),
            Some(_) if public || request.method == Method::OPTIONS => {
                Ok(CallPrincipal::anonymous())
            }
            Some(identity) => match component {
                Some(component) => {
                    identity
                        .authenticate_call(&request.headers, component)
                        .await
                }
                None => identity.authenticate(&request.headers).await,
            },
        }
    }
}

/// Removes what only a trusted proxy may say of its client.
fn strip_untrusted(request: &mut Parts, client: &ClientInfo, listener: &ListenerLimits) {
    let proxy = client.address.ip();
    let mut trusted = listener.trusted_proxies.iter();
    if !trusted.any(|trusted| trusted.contains(proxy)) {
        headers::strip_forwarded(&mut request.headers);
    }
}

/// The response, with the permit of the client until its last byte.
fn guarded(response: Response<WasiBody>, permit: Option<ClientPermit>) -> Response<WasiBody> {
    match permit {
        Some(permit) => response.map(|body| GuardedBody::new(body, permit).boxed_unsync()),
        None => response,
    }
}

fn note_result(
    span: &mut Span,
    logged: &LoggedRequest,
    result: &Result<Response<WasiBody>, Problem>,
) {
    if let Some(route) = &logged.route {
        span::http::routed(span, &logged.method, route, logged.component.as_deref());
    }
    match result {
        Ok(response) => span::http::answered(span, response.status(), None),
        Err(problem) => span::http::answered(span, problem.status(), Some(problem.slug())),
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

async fn call_component(
    ingress: &Ingress,
    request: Request<WasiBody>,
    found: &RouteMatch<'_, '_>,
    client: &ClientInfo,
    call: Call,
) -> Result<Response<WasiBody>, Problem> {
    let client = client.address;
    let request = RoutedRequest {
        request,
        found,
        client,
    };
    // A rejection (`?`) carries no result of the component, so it does not wait for durability.
    let response = ingress.gateway.call(request, call.clone()).await?;
    let (head, body) = response.into_parts();
    // The database logs why.
    let body = DurableBody::begin(body, call).await;
    let body = body.map_err(|_| Problem::NotDurable)?;
    Ok(Response::from_parts(head, body))
}

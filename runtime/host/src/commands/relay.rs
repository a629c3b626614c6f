//! `socar relay`: event delivery and sweeps for a deployment on stock Spin.
//!
//! Spin's Redis trigger is plain pub/sub: a message without a subscriber is lost. The streams keep every event, so the
//! relay reads them with the delivery engine of `socar up` ([`event_log::delivery`]: groups, order per subject, retries,
//! dead letters). It sends each event to its component over HTTP, in the structured mode of the CloudEvents HTTP
//! binding. The endpoint of the component names the outcome in a header of its answer ([`http_conventions::delivery`]):
//! the event was handled, it failed, or it can never be handled. Every other answer is that of a proxy, or of an
//! application that is unwell; it says nothing about the event, so the delivery waits, at least for the time of
//! `Retry-After`. The relay also calls the sweeps, because stock Spin has no timer for them. The relay and the trigger may
//! both deliver an event: reactions are idempotent.
//!
//! The URL of a component comes from the manifest: the prefix of its first HTTP route, below `--to`.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use http_conventions::delivery::{OUTCOME, Outcome};
use hyper::body::Body;
use platform_token::SigningKeys;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::availability::retry_after;
use crate::body::full;
use crate::cli::RelayOptions;
use crate::client::HttpClient;
use crate::log_limiter::LogLimiter;
use crate::otlp::{self, ServiceName};
use crate::output::print_line;
use crate::signals::StopSignals;
use crate::signing_keys::signing_keys;
use crate::span;
use crate::trace::Trace;
use crate::trigger::{self, sweep};
use config::manifest::{App, Environment, Overrides, Route};
use config::without_credentials;
use event_log::RedisLog;
use event_log::delivery::{
    Audience, DeliveredEvent, DeliveryEngine, DeliverySettings, EventHandler, HandlerError,
};
use storage::redis_client::RedisClient;

/// The longest problem document that is read, in bytes.
const MAX_PROBLEM: usize = 16 * 1024;

/// Lines about the same answer in ten seconds.
static FOREIGN_ANSWERS: LazyLock<LogLimiter> = LazyLock::new(|| LogLimiter::new(1));

/// Event handler that delivers over HTTP.
struct HttpDelivery {
    client: HttpClient,
    /// Base URL of each component, without a trailing slash.
    addresses: BTreeMap<String, String>,
    keys: SigningKeys,
    timeout: Duration,
}

/// The head of an answer of a deployment.
struct Answer {
    /// The URL of the component.
    address: String,
    status: StatusCode,
    headers: HeaderMap,
    /// The words of the component, if it answers with a problem document.
    detail: Option<String>,
}

/// Relays events until the process receives a stop signal.
///
/// # Errors
/// When the manifest or an option is invalid. An unavailable server or component is retried.
pub async fn run(options: &RelayOptions) -> anyhow::Result<()> {
    let keys = signing_keys("--secret (or SOCAR_RELAY_SECRET)", &options.secret)?;
    let mut signals = StopSignals::listen()?;
    let overrides = Overrides {
        environment: Environment::from_process(),
        ..Overrides::default()
    };
    let app = App::load(&options.from, &overrides)?;
    let name = format!("{}-relay", app.name);
    let service = ServiceName {
        name: &name,
        version: &app.version,
    };
    let spans = otlp::start(service, false)?;
    let delivery = Arc::new(HttpDelivery::new(&app, options, keys)?);
    let redis = RedisClient::new(&options.redis_url).context("--redis-url")?;
    let mut subscriptions = trigger::events::subscriptions(&app);
    for subscription in &mut subscriptions {
        // There is one deployment, regardless of the number of its hosts.
        subscription.audience = Audience::Shared;
    }
    let name = format!("relay-{}", Trace::fresh().id());
    let deliveries = DeliveryEngine::start(
        Arc::new(RedisLog::new(redis)),
        delivery.clone(),
        &name,
        subscriptions,
        DeliverySettings::default(),
    );
    let mut sweeps = JoinSet::new();
    for component in &app.components {
        if let Some(period) = component.policy.sweep {
            sweeps.spawn(sweep_regularly(
                delivery.clone(),
                component.id.to_string(),
                period,
            ));
        }
    }
    let redis_url = without_credentials(&options.redis_url);
    let to = without_credentials(&options.to);
    info!(to, "relaying");
    print_line(format_args!("Relaying from {redis_url} to {to}"));
    signals.received().await;
    sweeps.shutdown().await;
    deliveries.stop().await;
    if let Some(spans) = spans {
        spans.finish().await;
    }
    Ok(())
}

async fn sweep_regularly(delivery: Arc<HttpDelivery>, component: String, period: Duration) {
    let mut is_failing = false;
    loop {
        tokio::time::sleep(period).await;
        let swept = delivery.sweep(&component).await;
        if let Err(error) = &swept
            && !is_failing
        {
            warn!(component, %error, "sweep failed");
        }
        is_failing = swept.is_err();
    }
}

// === impl HttpDelivery ===

impl HttpDelivery {
    fn new(app: &App, options: &RelayOptions, keys: SigningKeys) -> anyhow::Result<Self> {
        Ok(Self {
            client: HttpClient::default(),
            addresses: addresses(app, options)?,
            keys,
            timeout: Duration::from_secs(options.deadline),
        })
    }

    async fn sweep(&self, component: &str) -> Result<(), HandlerError> {
        let trace = Trace::fresh();
        let mut span = sweep::start_span(component, &trace);
        let trace = span.inner_trace(&trace).unwrap_or(trace);
        let answer = self.post(component, "sweep", Bytes::new(), &trace).await;
        let swept = answer.and_then(|answer| match answer.status.is_success() {
            true => Ok(()),
            false => Err(answer.unavailable()),
        });
        if let Err(error) = &swept {
            span.fail("sweep-failed", error);
        }
        swept
    }

    /// A token for one request to a component.
    fn authorization(&self, component: &str) -> Result<HeaderValue, HandlerError> {
        let token = self.keys.sign(component, access_token::now());
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|error| HandlerError::unavailable(error.to_string()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn post(
        &self,
        component: &str,
        path: &str,
        body: Bytes,
        trace: &Trace,
    ) -> Result<Answer, HandlerError> {
        let Some(address) = self.addresses.get(component) else {
            let reason = format!("component `{component}` has no HTTP route");
            return Err(HandlerError::unavailable(reason));
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{address}/{path}"))
            .header(header::CONTENT_TYPE, "application/cloudevents+json")
            .header(header::AUTHORIZATION, self.authorization(component)?)
            .body(full(body))
            .map_err(|error| HandlerError::unavailable(error.to_string()))?;
        let mut span = span::http::client(&request, trace, None);
        let inner = span.inner_trace(trace);
        for (name, value) in inner.as_ref().unwrap_or(trace).headers() {
            request.headers_mut().insert(name, value.clone());
        }
        // An unreachable component is not the fault of the event, so the attempt does not count.
        let answer = self.client.send(request, self.timeout, None).await;
        let answer = answer.map_err(|error| {
            span.fail("unreachable", &error);
            HandlerError::unavailable(format!("{address}: {error}"))
        })?;
        span::http::received(&mut span, answer.status());
        let (head, body) = answer.into_parts();
        let detail = match is_problem(&head.headers) {
            true => timeout(self.timeout, detail(body)).await.ok().flatten(),
            false => None,
        };
        Ok(Answer {
            address: address.clone(),
            status: head.status,
            headers: head.headers,
            detail,
        })
    }
}

#[async_trait]
impl EventHandler for HttpDelivery {
    async fn handle(&self, component: &str, event: DeliveredEvent) -> Result<(), HandlerError> {
        let (mut span, trace) = trigger::events::start_span(component, &event);
        let answer = self.post(component, "events", event.event, &trace).await;
        let handled = answer.and_then(|answer| answer.about_event(component));
        if let Err(error) = &handled {
            span.fail(trigger::events::outcome(&handled), error);
        }
        handled
    }
}

// === impl Answer ===

impl Answer {
    /// What the answer says about the event. Only the endpoint for events names an outcome.
    fn about_event(&self, component: &str) -> Result<(), HandlerError> {
        let outcome = self.headers.get(OUTCOME).map(HeaderValue::as_bytes);
        match outcome.and_then(Outcome::from_name) {
            Some(Outcome::Handled) => Ok(()),
            Some(Outcome::Rejected) => Err(HandlerError::Invalid(self.explained())),
            Some(Outcome::Failed) => Err(HandlerError::Failed(self.explained())),
            Some(Outcome::Unavailable) => Err(self.unavailable()),
            None => {
                let error = self.reason();
                if let Some(suppressed) = FOREIGN_ANSWERS.admit(&error) {
                    warn!(
                        component,
                        error, suppressed, "an event waits: the answer is not of its component"
                    );
                }
                Err(self.unavailable())
            }
        }
    }

    /// The deployment, or what it needs, is unavailable.
    fn unavailable(&self) -> HandlerError {
        HandlerError::Unavailable {
            reason: self.reason(),
            retry_after: retry_after(&self.headers),
        }
    }

    /// The reason, in the words of the component as well: a dead letter has no other.
    fn explained(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.reason()),
            None => self.reason(),
        }
    }

    fn reason(&self) -> String {
        let Self {
            address, status, ..
        } = self;
        match *status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => format!(
                "{address} does not know this relay: are relay_secret and the time the same on both sides?"
            ),
            status if status.is_success() => format!(
                "{address} answered {status} without the header `{OUTCOME}`: a proxy answers for the component, or the component is older than the relay"
            ),
            status => format!("{address} answered {status}"),
        }
    }
}

fn is_problem(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.map(HeaderValue::as_bytes).unwrap_or_default();
    media_type.starts_with(b"application/problem+json")
}

/// The `detail` of a problem document; `None` if it has none, or is longer than a problem is.
async fn detail<B: Body>(body: B) -> Option<String>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = Limited::new(body, MAX_PROBLEM).collect().await.ok()?;
    let problem: Value = serde_json::from_slice(&body.to_bytes()).ok()?;
    problem["detail"].as_str().map(str::to_owned)
}

/// The base URL of each component with an HTTP route, without a trailing slash.
///
/// # Errors
/// When an option names no such component, or an invalid URL.
fn addresses(app: &App, options: &RelayOptions) -> anyhow::Result<BTreeMap<String, String>> {
    let mut bases = BTreeMap::new();
    for given in &options.to_component {
        let Some((id, url)) = given.split_once('=') else {
            let given = without_credentials(given);
            bail!("--to-component {given}: write it as ID=URL");
        };
        bases.insert(id, url);
    }
    for url in bases.values().copied().chain([options.to.as_str()]) {
        check_base(url)?;
    }
    let mut addresses = BTreeMap::new();
    for route in app.routes.iter() {
        let Some(component) = component(route) else {
            continue;
        };
        let base = bases
            .get(component)
            .unwrap_or(&options.to.as_str())
            .trim_end_matches('/');
        addresses
            .entry(component.to_owned())
            .or_insert_with(|| format!("{base}{}", route.prefix().trim_end_matches('/')));
    }
    if let Some(unknown) = bases.keys().find(|id| !addresses.contains_key(**id)) {
        let known: Vec<&str> = addresses.keys().map(String::as_str).collect();
        bail!(
            "--to-component {}: no component with this id has an HTTP route; known here: {}",
            without_credentials(unknown),
            known.join(", ")
        );
    }
    Ok(addresses)
}

/// Checks the base URL of a deployment. A platform token is the only credential that is sent.
fn check_base(url: &str) -> anyhow::Result<()> {
    let shown = without_credentials(url);
    let uri: Uri = url.parse().with_context(|| format!("--to {shown}"))?;
    let authority = uri.authority().map(http::uri::Authority::as_str);
    match authority {
        Some(authority) if authority.contains('@') => {
            bail!("--to {shown}: credentials in the URL are not sent; remove them")
        }
        Some(_) if matches!(uri.scheme_str(), Some("http" | "https")) => Ok(()),
        _ => bail!("--to {shown}: write http://host:port or https://host"),
    }
}

fn component(route: &Route) -> Option<&str> {
    match &route.handler {
        config::manifest::RouteHandler::Component(id) => Some(id.as_str()),
        config::manifest::RouteHandler::Static(_) => None,
    }
}

#[cfg(test)]
mod tests;

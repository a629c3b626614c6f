//! `socar relay`: event delivery and sweeps for a deployment on stock Spin.
//!
//! Spin's Redis trigger is plain pub/sub: a message without a subscriber is lost. The streams keep every event, so the
//! relay reads them with the delivery engine of `socar up` ([`event_log::delivery`]: groups, order per subject, retries,
//! dead letters). It sends each event to its component over HTTP, in the structured mode of the CloudEvents HTTP
//! binding; any 2xx status acknowledges it. An outage of the component, such as 503, is waited for, at least for the time
//! of its `Retry-After`, and so are the answers of a proxy; an answer about the event itself counts as an attempt, and a
//! problem document with 400, 413, 415 or 422 makes the event a dead letter at once. The relay also calls the sweeps, because stock Spin has no timer for them.
//! The relay and the trigger may both deliver an event: reactions are idempotent.
//!
//! The URL of a component comes from the manifest: the prefix of its first HTTP route, below `--to`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_conventions::problem::MEDIA_TYPE;
use platform_token::SigningKeys;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::availability::{is_outage, retry_after};
use crate::body::full;
use crate::cli::RelayOptions;
use crate::client::HttpClient;
use crate::otlp::{self, ServiceName};
use crate::output::print_line;
use crate::signals::StopSignals;
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

/// Event handler that delivers over HTTP.
struct HttpDelivery {
    client: HttpClient,
    /// Base URL of each component, without a trailing slash.
    addresses: BTreeMap<String, String>,
    keys: SigningKeys,
    timeout: Duration,
}

/// Relays events until the process receives a stop signal.
///
/// # Errors
/// When the manifest or an option is invalid. An unavailable server or component is retried.
pub async fn run(options: &RelayOptions) -> anyhow::Result<()> {
    let keys = SigningKeys::read(&options.secret);
    let keys = keys.context("--secret (or SOCAR_RELAY_SECRET) is empty: choose a long secret")?;
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
        Ok(Self {
            client: HttpClient::default(),
            addresses,
            keys,
            timeout: Duration::from_secs(options.deadline),
        })
    }

    async fn sweep(&self, component: &str) -> Result<(), HandlerError> {
        let trace = Trace::fresh();
        let mut span = sweep::start_span(component, &trace);
        let trace = span.inner_trace(&trace).unwrap_or(trace);
        let swept = self.post(component, "sweep", Bytes::new(), &trace).await;
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
    ) -> Result<(), HandlerError> {
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
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(classify(address, status, answer.headers())),
        }
    }
}

#[async_trait]
impl EventHandler for HttpDelivery {
    async fn handle(&self, component: &str, event: DeliveredEvent) -> Result<(), HandlerError> {
        let (mut span, trace) = trigger::events::start_span(component, &event);
        let handled = self.post(component, "events", event.event, &trace).await;
        if let Err(error) = &handled {
            span.fail(trigger::events::outcome(&handled), error);
        }
        handled
    }
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

/// What a status says of an event. Only an answer about the event itself counts as an attempt.
fn classify(address: &str, status: StatusCode, headers: &HeaderMap) -> HandlerError {
    let reason = format!("{address} answered {status}");
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            HandlerError::unavailable(format!(
                "{address} does not know this relay: are relay_secret and the time the same on both sides?"
            ))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => HandlerError::unavailable(reason),
        status if is_outage(status) => HandlerError::Unavailable {
            reason,
            retry_after: retry_after(headers),
        },
        status if is_of_proxy(status) => HandlerError::Unavailable {
            reason,
            retry_after: retry_after(headers),
        },
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY
            if is_problem(headers) =>
        {
            HandlerError::Invalid(reason)
        }
        _ => HandlerError::Failed(reason),
    }
}

/// Whether no component answers an event like this, but a proxy in front of it does: it redirects to another scheme or
/// to a login, has no such service, or does not reach it. The codes from 520 on are those of content delivery networks.
fn is_of_proxy(status: StatusCode) -> bool {
    status.is_redirection() || matches!(status.as_u16(), 405 | 407 | 421 | 431 | 511 | 520..=599)
}

/// Whether the answer is a problem document, as components of this platform give it: a proxy that refuses the request
/// says nothing of the event.
fn is_problem(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

fn component(route: &Route) -> Option<&str> {
    match &route.handler {
        config::manifest::RouteHandler::Component(id) => Some(id.as_str()),
        config::manifest::RouteHandler::Static(_) => None,
    }
}

#[cfg(test)]
mod tests;

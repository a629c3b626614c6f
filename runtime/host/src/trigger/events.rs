//! Event trigger: the subscriptions of the components, and the delivery of an event to an instance.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use metrics::{Counter, counter};
use resilience::deadline::Deadline;
use tracing::debug;

use crate::admission::BulkheadPermit;
use crate::availability::Availability;
use crate::call::Call;
use crate::event_envelope::EventEnvelope;
use crate::generation::CurrentGeneration;
use crate::ingress::Ingress;
use crate::instance::events::EventError;
use crate::span::Span;
use crate::span::messaging::{EventAttempt, EventOnStream};
use crate::stream_readers::audience;
use crate::trace::Trace;
use config::manifest::App;
use event_log::delivery::{
    DEFAULT_BACKOFF, DeliveredEvent, EventHandler, HandlerError, Subscription,
};

/// Delivers events to the components of the current generation.
pub struct Reactions(pub CurrentGeneration);

/// Creates the subscriptions of all components from the Redis triggers of the manifest.
pub fn subscriptions(app: &App) -> Vec<Subscription> {
    let mut streams: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for trigger in &app.redis_triggers {
        streams
            .entry(trigger.component.as_str())
            .or_default()
            .push(trigger.channel.clone());
    }
    let components = app.components.iter();
    components
        .filter_map(|component| {
            let policy = &component.policy;
            Some(Subscription {
                component: component.id.to_string(),
                streams: streams.remove(component.id.as_str())?,
                event_types: policy.event_types.clone(),
                audience: audience(policy.events),
                attempts: policy.delivery_attempts,
                concurrency: policy.delivery_concurrency,
                backoff: DEFAULT_BACKOFF,
            })
        })
        .collect()
}

#[async_trait]
impl EventHandler for Reactions {
    async fn handle(&self, component: &str, event: DeliveredEvent) -> Result<(), HandlerError> {
        let generation = self.0.get();
        let Some(ingress) = generation.components.get(component) else {
            let reason = format!("component `{component}` is not running");
            return Err(HandlerError::unavailable(reason));
        };
        let (mut span, trace) = start_span(component, &event);
        let handled = deliver(ingress, trace, event.event).await;
        if let Err(error) = &handled {
            span.fail(outcome(&handled), error);
        }
        handled
    }
}

/// Starts the span of a delivery, and returns the trace within it.
pub fn start_span(component: &str, delivered: &DeliveredEvent) -> (Span, Trace) {
    let envelope = EventEnvelope::read(&delivered.event);
    let trace = envelope.trace();
    let event = EventOnStream {
        stream: &delivered.position.stream,
        envelope: &envelope,
    };
    let attempt = EventAttempt {
        component,
        entry: delivered.position.id,
        failures: delivered.failures,
    };
    let span = event.process(&trace, &attempt);
    let trace = span.inner_trace(&trace).unwrap_or(trace);
    (span, trace)
}

/// Delivers an event with an instance, and counts it.
async fn deliver(ingress: &Ingress, trace: Trace, event: Bytes) -> Result<(), HandlerError> {
    let call = ingress
        .component
        .incoming_call(trace)
        .with_min_priority(ingress.background_priority);
    // An event takes a permit as a request does, so that both share the instances in the order of priorities.
    let _permit = admit(ingress, &call).await?;
    let availability = call.availability.clone();
    let received = ingress.component.receive(event.to_vec(), call).await;
    let handled = received.map_err(|unhandled| classify(&unhandled, &availability));
    counter(ingress.component.id(), outcome(&handled)).increment(1);
    handled
}

/// The outcomes of a delivery.
const OUTCOMES: [&str; 4] = ["handled", "unavailable", "failed", "rejected"];

/// Makes the counters of a component visible before its first event.
pub fn register_metrics(component: &str) {
    for outcome in OUTCOMES {
        counter(component, outcome).increment(0);
    }
}

fn counter(component: &str, outcome: &'static str) -> Counter {
    counter!("socar_events_total", "component" => component.to_owned(), "outcome" => outcome)
}

/// How a delivery ended.
pub fn outcome(handled: &Result<(), HandlerError>) -> &'static str {
    let [success, unavailable, failed, rejected] = OUTCOMES;
    match handled {
        Ok(()) => success,
        Err(HandlerError::Unavailable { .. }) => unavailable,
        Err(HandlerError::Failed(_) | HandlerError::Crashed(_)) => failed,
        Err(HandlerError::Invalid(_)) => rejected,
    }
}

async fn admit(ingress: &Ingress, call: &Call) -> Result<BulkheadPermit, HandlerError> {
    let deadline = Deadline::at(call.deadline);
    let admitted = ingress.admission.admit(call.priority, deadline).await;
    admitted.map_err(|rejection| HandlerError::Unavailable {
        reason: format!("component `{}` is overloaded", ingress.component.id()),
        retry_after: Some(rejection.retry_after),
    })
}

/// Whose fault it is that an event was not handled. Where a store or a server was unavailable, it is not the event's.
fn classify(unhandled: &EventError, availability: &Availability) -> HandlerError {
    let reason = match unhandled {
        EventError::Failed { source, component } => {
            let (component, error) = (&**component, format!("{source:#}"));
            debug!(component, error, "reaction failed");
            format!("{unhandled}: {}", source.root_cause())
        }
        other => other.to_string(),
    };
    if availability.is_impaired() {
        return HandlerError::Unavailable {
            reason,
            retry_after: availability.retry_after(),
        };
    }
    match unhandled {
        EventError::NoInstance { .. }
        | EventError::Dropped { .. }
        | EventError::Unavailable { .. } => HandlerError::unavailable(reason),
        EventError::Malformed { .. } => HandlerError::Invalid(reason),
        EventError::Rejected { .. } => HandlerError::Failed(reason),
        EventError::DeadlineExceeded { .. } | EventError::Failed { .. } => {
            HandlerError::Crashed(reason)
        }
    }
}

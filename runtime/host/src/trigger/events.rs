//! Event trigger: the subscriptions of the components, and the delivery of an event to an instance.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use metrics::{Counter, counter};
use resilience::deadline::Deadline;
use serde::Deserialize;
use tracing::debug;

use crate::admission::BulkheadPermit;
use crate::availability::Availability;
use crate::call::Call;
use crate::generation::CurrentGeneration;
use crate::ingress::Ingress;
use crate::instance::events::EventError;
use crate::trace::Trace;
use crate::trace::{REQUEST_ID, TRACEPARENT};
use config::manifest::App;
use config::policy::EventDelivery;
use event_log::delivery::{Audience, DEFAULT_BACKOFF, EventHandler, HandlerError, Subscription};

/// Delivers events to the components of the current generation.
pub struct Reactions(pub CurrentGeneration);

/// Attributes of an event that the host reads: its trace.
#[derive(Default, Deserialize)]
struct Envelope {
    traceparent: Option<String>,
    correlationid: Option<String>,
}

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
                audience: match policy.events {
                    EventDelivery::Shared => Audience::Shared,
                    EventDelivery::EachHost => Audience::EachHost,
                },
                attempts: policy.delivery_attempts,
                concurrency: policy.delivery_concurrency,
                backoff: DEFAULT_BACKOFF,
            })
        })
        .collect()
}

#[async_trait]
impl EventHandler for Reactions {
    async fn handle(&self, component: &str, event: Bytes) -> Result<(), HandlerError> {
        let generation = self.0.get();
        let Some(ingress) = generation.components.get(component) else {
            let reason = format!("component `{component}` is not running");
            return Err(HandlerError::unavailable(reason));
        };
        let call = ingress
            .component
            .incoming_call(Envelope::read(&event).trace())
            .with_min_priority(ingress.background_priority);
        // An event takes a permit as a request does, so that both share the instances in the order of priorities.
        let _permit = admit(ingress, &call).await?;
        let availability = call.availability.clone();
        let received = ingress.component.receive(event.to_vec(), call).await;
        let handled = received.map_err(|unhandled| classify(&unhandled, &availability));
        count(component, &handled);
        handled
    }
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

/// Counts a delivery.
fn count(component: &str, handled: &Result<(), HandlerError>) {
    let [success, unavailable, failed, rejected] = OUTCOMES;
    let outcome = match handled {
        Ok(()) => success,
        Err(HandlerError::Unavailable { .. }) => unavailable,
        Err(HandlerError::Failed(_)) => failed,
        Err(HandlerError::Invalid(_)) => rejected,
    };
    counter(component, outcome).increment(1);
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
        EventError::Rejected { .. }
        | EventError::DeadlineExceeded { .. }
        | EventError::Failed { .. } => HandlerError::Failed(reason),
    }
}

// === impl Envelope ===

impl Envelope {
    /// Reads the envelope. A message that is not an event has an empty envelope.
    fn read(event: &[u8]) -> Self {
        serde_json::from_slice(event).unwrap_or_default()
    }

    /// Returns the trace of the event. An event without a trace starts a new one.
    fn trace(self) -> Trace {
        let mut headers = HeaderMap::with_capacity(2);
        let pairs = [
            (TRACEPARENT, self.traceparent),
            (REQUEST_ID, self.correlationid),
        ];
        for (name, value) in pairs {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        Trace::of(&headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_carries_the_trace_of_its_request() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let event = format!(
            r#"{{"id":"1","traceparent":"{parent}","correlationid":"order-7","data":{{}}}}"#
        );
        let found = Envelope::read(event.as_bytes()).trace();
        assert_eq!(
            (found.parent, found.request_id.as_bytes()),
            (HeaderValue::from_static(parent), &b"order-7"[..])
        );
    }

    #[test]
    fn a_message_that_is_not_an_event_gets_a_new_trace() {
        let trace = || Envelope::read(b"hello").trace();
        assert_ne!(trace(), trace());
    }
}

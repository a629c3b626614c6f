//! One attempt at one event, and its record in the log.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;

use super::lane_scheduler::{EventBody, QueuedEvent};
use super::{DeliveredEvent, DeliveryContext, HandlerError, Subscription};
use crate::{EVENT_FIELD, LogError};

/// The longest wait that a component may ask for, so that a wrong value does not hold an event back for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The delay after the first crash of a component, and the longest one after many. A component that crashes whatever it gets is
/// replaced or restarted within minutes; until then its events wait. An event that crashes it holds back its subject for as long.
const FIRST_CRASH_DELAY: Duration = Duration::from_secs(1);
const MAX_CRASH_DELAY: Duration = Duration::from_secs(30);

/// How an attempt ended.
pub(super) enum AttemptOutcome {
    /// Handled: the entry is to be acknowledged.
    Handled,
    /// Parked, or no longer pending for another reason: the log needs no acknowledgement.
    Resolved,
    /// The attempt counts: the event is to be tried again after `delay`.
    Retry { attempts: u32, delay: Duration },
    /// Something was unavailable, and the attempt does not count: the event is to be tried again after `delay`.
    Unavailable {
        by: UnavailablePart,
        cause: String,
        rejections: u32,
        delay: Duration,
    },
}

/// What was unavailable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UnavailablePart {
    /// The component, or something that it needs.
    Component,
    /// The event log: the component may have run.
    Log,
}

/// Runs the handler, and records a failure in the log. A failure that cannot be recorded does not count, so an outage
/// of the log parks no event.
pub(super) async fn attempt(
    context: &DeliveryContext,
    subscription: &Subscription,
    group: &str,
    queued: &QueuedEvent,
) -> AttemptOutcome {
    let event = match &queued.body {
        EventBody::Loaded(event) => Ok(Some(event.clone())),
        EventBody::Missing => {
            let error = format!("the entry has no field `{EVENT_FIELD}`");
            let parked = park(context, group, queued, &error).await;
            return recorded(subscription, queued, parked);
        }
        EventBody::InLog => read(context, queued).await,
    };
    let event = match event {
        Ok(Some(event)) => event,
        // The entry was removed from its stream: there is nothing to handle.
        Ok(None) => return AttemptOutcome::Handled,
        Err(error) => return recorded(subscription, queued, Err(error)),
    };
    let event = DeliveredEvent {
        event,
        position: queued.position.clone(),
        failures: queued.attempts,
    };
    match handle(context, &subscription.component, event).await {
        Ok(()) => AttemptOutcome::Handled,
        Err(HandlerError::Unavailable {
            reason,
            retry_after,
        }) => {
            let rejections = queued.rejections.saturating_add(1);
            let delay = retry_delay(subscription, rejections);
            AttemptOutcome::Unavailable {
                by: UnavailablePart::Component,
                cause: reason,
                rejections,
                delay: delay.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)),
            }
        }
        Err(HandlerError::Invalid(error)) => {
            let parked = park(context, group, queued, &error).await;
            recorded(subscription, queued, parked)
        }
        Err(HandlerError::Failed(error)) => {
            let delay = retry_delay(subscription, queued.attempts.saturating_add(1));
            let record = record_failure(context, subscription, group, queued, &error, delay).await;
            recorded(subscription, queued, record)
        }
        Err(HandlerError::Crashed(error)) => {
            let delay = crash_delay(queued.attempts.saturating_add(1));
            let record = record_failure(context, subscription, group, queued, &error, delay).await;
            recorded(subscription, queued, record)
        }
    }
}

/// Runs the handler; a panic counts as a failure.
async fn handle(
    context: &DeliveryContext,
    component: &str,
    event: DeliveredEvent,
) -> Result<(), HandlerError> {
    let handled = AssertUnwindSafe(context.handler.handle(component, event)).catch_unwind();
    handled
        .await
        .unwrap_or_else(|_| Err(HandlerError::Failed("the handler panicked".to_owned())))
}

async fn read(context: &DeliveryContext, queued: &QueuedEvent) -> Result<Option<Bytes>, LogError> {
    let id = queued.position.id;
    let entries = context
        .log
        .range(&queued.position.stream, id, id, 1)
        .await?;
    Ok(entries.first().and_then(crate::Entry::event))
}

async fn record_failure(
    context: &DeliveryContext,
    subscription: &Subscription,
    group: &str,
    queued: &QueuedEvent,
    error: &str,
    delay: Duration,
) -> Result<AttemptOutcome, LogError> {
    let attempts = queued.attempts.saturating_add(1);
    if attempts >= subscription.attempts {
        return park(context, group, queued, error).await;
    }
    tracing::debug!(
        component = subscription.component,
        stream = &*queued.position.stream,
        entry = %queued.position.id,
        attempts,
        error,
        "event failed"
    );
    let recorded = context
        .log
        .record_failure(group, &queued.position, error, delay)
        .await?;
    Ok(
        recorded.map_or(AttemptOutcome::Resolved, |attempts| AttemptOutcome::Retry {
            attempts,
            delay,
        }),
    )
}

async fn park(
    context: &DeliveryContext,
    group: &str,
    queued: &QueuedEvent,
    error: &str,
) -> Result<AttemptOutcome, LogError> {
    let attempts = queued.attempts.saturating_add(1);
    let parked = context
        .log
        .park(group, &queued.position, error, attempts)
        .await?;
    if let Some(letter) = parked {
        tracing::warn!(
            group,
            stream = &*queued.position.stream,
            entry = %queued.position.id,
            attempts,
            error,
            %letter,
            "event parked among the dead letters"
        );
    }
    Ok(AttemptOutcome::Resolved)
}

fn recorded(
    subscription: &Subscription,
    queued: &QueuedEvent,
    record: Result<AttemptOutcome, LogError>,
) -> AttemptOutcome {
    record.unwrap_or_else(|error| not_counted(subscription, queued, &error))
}

fn not_counted(
    subscription: &Subscription,
    queued: &QueuedEvent,
    error: &LogError,
) -> AttemptOutcome {
    let rejections = queued.rejections.saturating_add(1);
    AttemptOutcome::Unavailable {
        by: UnavailablePart::Log,
        cause: format!("the event log: {error}"),
        rejections,
        delay: retry_delay(subscription, queued.attempts.saturating_add(rejections)),
    }
}

/// The delay after so many crashes: twice as long after each, up to half a minute. Ten attempts last for two and a half minutes.
fn crash_delay(crashes: u32) -> Duration {
    let doubled = FIRST_CRASH_DELAY.saturating_mul(1 << crashes.saturating_sub(1).min(16));
    doubled.min(MAX_CRASH_DELAY)
}

fn retry_delay(subscription: &Subscription, failures: u32) -> Duration {
    subscription.backoff.delay(failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempts_at_an_event_that_crashes_its_component_last_for_minutes() {
        let last = |attempts: u32| (1..attempts).map(crash_delay).sum::<Duration>();
        assert_eq!(last(10), Duration::from_secs(151));
        assert_eq!(crash_delay(1), FIRST_CRASH_DELAY);
        assert_eq!(crash_delay(u32::MAX), MAX_CRASH_DELAY);
    }
}

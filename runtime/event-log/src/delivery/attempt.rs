//! One attempt at one event, and what the log has to know of it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;

use super::lanes::{Event, Job};
use super::{Context, HandleError, Subscription};
use crate::{EVENT, LogError};

/// How an attempt ended.
pub(super) enum Outcome {
    /// Handled: to be acknowledged.
    Handled,
    /// Parked, or not pending any more: the log knows already.
    Settled,
    /// To be tried again.
    Retry {
        attempts: u32,
        refusals: u32,
        pause: Duration,
    },
}

/// Lets the component react, and records it if it failed. A failure that cannot be recorded does
/// not count: an outage of the log parks nothing.
pub(super) async fn attempt(
    context: &Context,
    subscription: &Subscription,
    group: &str,
    job: &Job,
) -> Outcome {
    let event = match &job.event {
        Event::Here(event) => Ok(Some(event.clone())),
        Event::None => {
            let error = format!("the entry has no field `{EVENT}`");
            return recorded(subscription, job, park(context, group, job, &error).await);
        }
        Event::InLog => read(context, job).await,
    };
    let event = match event {
        Ok(Some(event)) => event,
        // Somebody removed the entry from its stream: nothing is left to handle.
        Ok(None) => return Outcome::Handled,
        Err(error) => return recorded(subscription, job, Err(error)),
    };
    match handle(context, &subscription.component, event).await {
        Ok(()) => Outcome::Handled,
        Err(HandleError::Refused(error)) => {
            tracing::debug!(component = subscription.component, error, "event refused");
            not_counted(subscription, job)
        }
        Err(HandleError::Failed(error)) => {
            let record = fail(context, subscription, group, job, &error).await;
            recorded(subscription, job, record)
        }
    }
}

/// A handler that panics has failed, and nothing worse.
async fn handle(context: &Context, component: &str, event: Bytes) -> Result<(), HandleError> {
    let handled = AssertUnwindSafe(context.handler.handle(component, event)).catch_unwind();
    handled
        .await
        .unwrap_or_else(|_| Err(HandleError::Failed("the handler panicked".to_owned())))
}

async fn read(context: &Context, job: &Job) -> Result<Option<Bytes>, LogError> {
    let id = job.position.id;
    let entries = context.log.range(&job.position.stream, id, id, 1).await?;
    Ok(entries
        .first()
        .and_then(|entry| entry.field(EVENT))
        .cloned())
}

async fn fail(
    context: &Context,
    subscription: &Subscription,
    group: &str,
    job: &Job,
    error: &str,
) -> Result<Outcome, LogError> {
    let attempts = job.attempts.saturating_add(1);
    if attempts >= subscription.attempts {
        return park(context, group, job, error).await;
    }
    let pause = subscription.backoff.pause(attempts);
    tracing::debug!(
        component = subscription.component,
        stream = &*job.position.stream,
        entry = %job.position.id,
        attempts,
        error,
        "event failed"
    );
    let recorded = context.log.fail(group, &job.position, error, pause).await?;
    Ok(
        recorded.map_or(Outcome::Settled, |attempts| Outcome::Retry {
            attempts,
            refusals: 0,
            pause,
        }),
    )
}

async fn park(context: &Context, group: &str, job: &Job, error: &str) -> Result<Outcome, LogError> {
    let attempts = job.attempts.saturating_add(1);
    let parked = context
        .log
        .park(group, &job.position, error, attempts)
        .await?;
    if let Some(letter) = parked {
        tracing::warn!(
            group,
            stream = &*job.position.stream,
            entry = %job.position.id,
            attempts,
            error,
            %letter,
            "event parked among the dead letters"
        );
    }
    Ok(Outcome::Settled)
}

fn recorded(subscription: &Subscription, job: &Job, record: Result<Outcome, LogError>) -> Outcome {
    record.unwrap_or_else(|error| {
        tracing::debug!(%error, "an attempt could not be recorded");
        not_counted(subscription, job)
    })
}

fn not_counted(subscription: &Subscription, job: &Job) -> Outcome {
    let refusals = job.refusals.saturating_add(1);
    Outcome::Retry {
        attempts: job.attempts,
        refusals,
        pause: subscription
            .backoff
            .pause(job.attempts.saturating_add(refusals)),
    }
}

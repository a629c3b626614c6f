//! Reports every transition of a breaker twice: in the log of this process, and as an event on the stream
//! [`platform_events::PLATFORM_STREAM`].
//!
//! The call that causes a transition does not wait for the event log: the transition goes into a short queue. If the
//! event log is unavailable for so long that the queue is full, a transition is in the process log only.

use std::sync::Arc;
use std::time::SystemTime;

use resilience::breaker::{BreakerState, Transition};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::platform_events;
use event_log::EventLog;

/// The most transitions that wait for the event log.
const QUEUE: usize = 256;

/// Sends the transitions of breakers to the publisher. Clones share the queue.
#[derive(Clone)]
pub struct TransitionSender(mpsc::Sender<Transition>);

/// Publishes transitions on the event log.
pub struct TransitionPublisher(mpsc::Receiver<Transition>);

// === impl TransitionSender ===

impl TransitionSender {
    /// Both ends of a queue.
    pub fn new() -> (Self, TransitionPublisher) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), TransitionPublisher(receiver))
    }

    pub(super) fn send(&self, transition: &Transition) {
        // An open breaker is what an operator looks for; the other states follow from it.
        macro_rules! log {
            ($level:ident) => {
                $level!(
                    link = &*transition.link,
                    from = %transition.from,
                    to = %transition.to,
                    reason = %transition.reason,
                    "breaker {}",
                    transition.to
                )
            };
        }
        match transition.to {
            BreakerState::Open => log!(warn),
            _ => log!(info),
        }
        if self.0.try_send(transition.clone()).is_err() {
            warn!(
                link = &*transition.link,
                "transition not published: the queue is full"
            );
        }
    }
}

// === impl TransitionPublisher ===

impl TransitionPublisher {
    /// Appends transitions to the event log until cancelled.
    ///
    /// # Errors
    /// Never: a transition that cannot be published is logged.
    pub async fn write(
        mut self,
        log: Arc<dyn EventLog>,
        host: String,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let transition = tokio::select! {
                transition = self.0.recv() => transition,
                () = stop.cancelled() => return Ok(()),
            };
            // The senders live in the links, which live as long as this task.
            let Some(transition) = transition else {
                return Ok(());
            };
            let event = event(&transition, &host, SystemTime::now());
            platform_events::append(&*log, &event).await;
        }
    }
}

/// A transition as a CloudEvent.
fn event(transition: &Transition, host: &str, now: SystemTime) -> serde_json::Value {
    let subject = format!("link/{}", transition.link);
    let data = json!({
        "link": &*transition.link,
        "from": transition.from.as_str(),
        "to": transition.to.as_str(),
        "reason": transition.reason.to_string(),
        "retryAfterMs": transition.retry_after.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        "sequence": transition.sequence,
    });
    platform_events::event(event_type(transition.to), &subject, host, now, data)
}

fn event_type(to: BreakerState) -> &'static str {
    match to {
        BreakerState::Closed => "BreakerClosed",
        BreakerState::Open => "BreakerOpened",
        BreakerState::HalfOpen => "BreakerHalfOpened",
        BreakerState::ForcedOpen => "BreakerForcedOpen",
        BreakerState::Disabled => "BreakerDisabled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use resilience::breaker::TransitionReason;

    #[test]
    fn a_transition_is_published_with_link_and_reason() {
        let transition = Transition {
            link: "reservation -> payment".into(),
            sequence: 1,
            from: BreakerState::Closed,
            to: BreakerState::Open,
            reason: TransitionReason::ConsecutiveFailures { failures: 8 },
            retry_after: Some(Duration::from_millis(900)),
        };
        let event = event(&transition, "h1", SystemTime::UNIX_EPOCH);
        assert_eq!(event["type"], "BreakerOpened");
        assert_eq!(event["source"], "socar/host/h1");
        assert_eq!(event["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(event["data"]["link"], "reservation -> payment");
        assert_eq!(event["data"]["reason"], "8 calls in a row failed");
        assert_eq!(event["data"]["retryAfterMs"], 900);
    }
}

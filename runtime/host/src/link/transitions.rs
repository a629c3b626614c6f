//! Reports every transition of a breaker twice: in the log of this process, and as an event on the stream
//! [`PLATFORM_STREAM`].
//!
//! The call that causes a transition does not wait for the event log: the transition goes into a short queue. If the
//! event log is unavailable for so long that the queue is full, a transition is in the process log only.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use resilience::breaker::{BreakerState, Transition};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::trace::Trace;
use event_log::{EVENT_FIELD, EntryId, EventLog, LogError};

/// The stream of the events of the platform.
pub const PLATFORM_STREAM: &str = "socar.platform";

/// The most transitions that wait for the event log.
const QUEUE: usize = 256;

/// The most events on the stream, whatever the retention: no component must react to them, and a flapping link would
/// fill it.
const MAX_EVENTS: u64 = 10_000;

/// The most events that are removed at once.
const TRIM_BATCH: usize = 100;

/// How often an event is appended to a log that does not respond, and the delay between two attempts.
const ATTEMPTS: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_secs(1);

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
            append(&*log, &transition, &host).await;
        }
    }
}

async fn append(log: &dyn EventLog, transition: &Transition, host: &str) {
    let event = event(transition, host, SystemTime::now()).to_string();
    let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(event))];
    for _ in 0..ATTEMPTS {
        match log.append(PLATFORM_STREAM, &fields).await {
            Ok(_) => {
                if let Err(error) = keep_newest(log, MAX_EVENTS).await {
                    warn!(%error, "old events of the platform stay in the log for now");
                }
                return;
            }
            Err(error) if error.is_unavailable() => tokio::time::sleep(RETRY_DELAY).await,
            Err(error) => {
                warn!(link = &*transition.link, %error, "transition not published");
                return;
            }
        }
    }
    warn!(
        link = &*transition.link,
        "transition not published: the event log is unavailable"
    );
}

/// Removes the oldest events above `most`, a batch at a time; the next event removes the rest.
async fn keep_newest(log: &dyn EventLog, most: u64) -> Result<(), LogError> {
    let surplus = log.length(PLATFORM_STREAM).await?.saturating_sub(most);
    let surplus = usize::try_from(surplus)
        .unwrap_or(TRIM_BATCH)
        .min(TRIM_BATCH);
    if surplus == 0 {
        return Ok(());
    }
    let (first, last) = (EntryId::MIN, EntryId::MAX);
    for entry in log.range(PLATFORM_STREAM, first, last, surplus).await? {
        log.remove(PLATFORM_STREAM, entry.id).await?;
    }
    Ok(())
}

/// A transition as a CloudEvent.
fn event(transition: &Transition, host: &str, now: SystemTime) -> serde_json::Value {
    json!({
        "specversion": "1.0",
        "id": Trace::fresh().id(),
        "source": format!("socar/host/{host}"),
        "type": event_type(transition.to),
        "subject": format!("link/{}", transition.link),
        "time": humantime::format_rfc3339_millis(now).to_string(),
        "datacontenttype": "application/json",
        "data": {
            "link": &*transition.link,
            "from": transition.from.as_str(),
            "to": transition.to.as_str(),
            "reason": transition.reason.to_string(),
            "retryAfterMs": transition.retry_after.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            "sequence": transition.sequence,
        },
    })
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
    use resilience::breaker::TransitionReason;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_stream_keeps_only_the_newest_events() {
        let fixture = event_log::test_support::embedded();
        let mut ids = Vec::new();
        for number in 0..5 {
            let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(number.to_string()))];
            ids.push(fixture.log.append(PLATFORM_STREAM, &fields).await.unwrap());
            keep_newest(&*fixture.log, 3).await.unwrap();
        }
        let range = fixture
            .log
            .range(PLATFORM_STREAM, EntryId::MIN, EntryId::MAX, 10);
        let kept: Vec<_> = range.await.unwrap().iter().map(|it| it.id).collect();
        assert_eq!(kept, ids[2..]);
    }

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

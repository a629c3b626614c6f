//! The engine against each log: which events a component gets, and in which order, whatever fails.

mod failures;
mod hosts;
mod order;
mod outages;
mod waiting_lines;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::dead_letters;
use crate::test_support::{Fixture, event};
use crate::tests::{on_both_logs, on_redis};

const STREAM: &str = "socar.car";
const TEST_SETTINGS: DeliverySettings = DeliverySettings {
    heartbeat_interval: Duration::from_millis(20),
    consumer_timeout: Duration::from_millis(200),
    drain_timeout: Duration::from_secs(5),
    acknowledgements: None,
};

/// Records the events that it handles; fails as the test requires.
#[derive(Default)]
struct Recorder {
    /// Numbers of the events that were handled, by subject.
    handled: Mutex<BTreeMap<String, Vec<usize>>>,
    running: AtomicUsize,
    most_at_once: AtomicUsize,
    calls: AtomicUsize,
    reaction: Mutex<Option<Reaction>>,
    /// While this is `true`, no handler returns.
    held_up: Mutex<bool>,
}

/// Called with the event's subject and number, and with the number of earlier calls.
type Reaction = Box<dyn FnMut(&str, usize, usize) -> Result<(), HandlerError> + Send>;

#[async_trait]
impl EventHandler for Recorder {
    async fn handle(&self, _component: &str, event: DeliveredEvent) -> Result<(), HandlerError> {
        let event: serde_json::Value = serde_json::from_slice(&event.event).unwrap();
        let subject = event["subject"].as_str().unwrap().to_owned();
        let number: usize = event["id"].as_str().unwrap().parse().unwrap();
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(running, Ordering::SeqCst);
        while *self.held_up.lock() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        if let Some(reaction) = &mut *self.reaction.lock() {
            reaction(&subject, number, call)?;
        }
        self.handled.lock().entry(subject).or_default().push(number);
        Ok(())
    }
}

impl Recorder {
    fn reacting(
        reaction: impl FnMut(&str, usize, usize) -> Result<(), HandlerError> + Send + 'static,
    ) -> Arc<Self> {
        let recorder = Self::default();
        *recorder.reaction.lock() = Some(Box::new(reaction));
        Arc::new(recorder)
    }

    fn count(&self) -> usize {
        self.handled.lock().values().map(Vec::len).sum()
    }

    fn of(&self, subject: &str) -> Vec<usize> {
        self.handled
            .lock()
            .get(subject)
            .cloned()
            .unwrap_or_default()
    }

    fn failing() -> Result<(), HandlerError> {
        Err(HandlerError::Failed("on purpose".to_owned()))
    }
}

fn subscription(component: &str) -> Subscription {
    Subscription {
        component: component.to_owned(),
        streams: vec![STREAM.to_owned()],
        event_types: None,
        audience: Audience::Shared,
        attempts: 3,
        concurrency: 4,
        backoff: Backoff::new(Duration::from_millis(2), Duration::from_millis(20)),
    }
}

fn start(log: &Arc<dyn EventLog>, handler: &Arc<Recorder>, host: &str) -> DeliveryEngine {
    start_with(log, handler, host, subscription("message"))
}

fn start_with(
    log: &Arc<dyn EventLog>,
    handler: &Arc<Recorder>,
    host: &str,
    subscription: Subscription,
) -> DeliveryEngine {
    DeliveryEngine::start(
        log.clone(),
        handler.clone(),
        host,
        vec![subscription],
        TEST_SETTINGS,
    )
}

/// Waits until the value is as expected; fails with the last value after a timeout.
async fn eventually<T: PartialEq + std::fmt::Debug>(
    mut value: impl AsyncFnMut() -> T,
    expected: T,
) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let last = value().await;
        if last == expected {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "still {last:?}, not {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn publish(log: &Arc<dyn EventLog>, subject: &str, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        log.append(STREAM, &event(subject, number)).await.unwrap();
    }
}

/// Waits until the group has no pending and no unread entries on the stream.
async fn quiet(log: &Arc<dyn EventLog>, group: &str) {
    let open = async || {
        let states = log.groups(STREAM).await.unwrap();
        let state = states.into_iter().find(|state| state.group == group);
        state.map(|state| state.pending + state.lag)
    };
    eventually(open, Some(0)).await;
}

async fn letters(log: &Arc<dyn EventLog>) -> Vec<dead_letters::DeadLetter> {
    dead_letters::list(&**log, None, 1000).await.unwrap()
}

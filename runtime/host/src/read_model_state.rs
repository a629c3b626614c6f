//! Whether the read models of this host can be trusted: what readiness says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::generation::Generation;
use event_log::delivery::{Audience, Subscription};
use event_log::{EventLog, LogError};

/// The number of events from which on a read model that has caught up once is hopelessly behind: no burst of requests
/// gets there, and a host that is overtaken by its events does.
const MAX_LAG: u64 = 10_000;

/// The number of events that a read model may be behind when the host begins to serve.
const MAX_FIRST_LAG: u64 = 1000;

/// Why the rows of a component do not belong to the history of the event log, by component.
#[derive(Clone, Default)]
pub struct ForeignReadModels {
    causes: Arc<Mutex<BTreeMap<String, String>>>,
    /// Notified about each cause.
    news: Arc<Notify>,
}

/// Compares the positions of the read models with the ends of their streams.
pub struct ReadModelPositions {
    log: Arc<dyn EventLog>,
    /// The name of this host, which its consumer groups have.
    host: String,
    /// The components that have caught up once.
    caught_up: BTreeSet<String>,
}

// === impl ForeignReadModels ===

impl ForeignReadModels {
    /// The rows of the component do not belong to the log.
    pub fn insert(&self, component: &str, cause: String) {
        self.causes.lock().insert(component.to_owned(), cause);
        self.news.notify_one();
    }

    /// Waits until rows were found that do not belong to the log, since the last call.
    pub async fn found(&self) {
        self.news.notified().await;
    }

    /// The rows of the component belong to the log.
    pub fn remove(&self, component: &str) {
        self.causes.lock().remove(component);
    }

    /// Why the rows of the component do not belong to the log; `None` if they do, or if that is not known.
    pub fn cause(&self, component: &str) -> Option<String> {
        self.causes.lock().get(component).cloned()
    }
}

// === impl ReadModelPositions ===

impl ReadModelPositions {
    /// No read model has caught up yet.
    pub fn new(log: Arc<dyn EventLog>, host: String) -> Self {
        Self {
            log,
            host,
            caught_up: BTreeSet::new(),
        }
    }

    /// The components whose read model is too far behind, with the number of missing events.
    ///
    /// # Errors
    /// If the log is unavailable.
    pub async fn behind(
        &mut self,
        generation: &Generation,
    ) -> Result<BTreeMap<String, u64>, LogError> {
        let mut behind = BTreeMap::new();
        for subscription in subscriptions(generation) {
            let component = &subscription.component;
            let lag = self.lag(subscription).await?;
            let limit = match self.caught_up.contains(component) {
                true => MAX_LAG,
                false => MAX_FIRST_LAG,
            };
            match lag > limit {
                true => drop(behind.insert(component.clone(), lag)),
                false => drop(self.caught_up.insert(component.clone())),
            }
        }
        Ok(behind)
    }

    async fn lag(&self, subscription: &Subscription) -> Result<u64, LogError> {
        let group = subscription.group(&self.host);
        let mut lag = 0;
        for stream in &subscription.streams {
            lag += match self.log.lag(stream, &group).await? {
                Some(lag) => lag,
                // The delivery has not begun.
                None => self.log.length(stream).await?,
            };
        }
        Ok(lag)
    }
}

/// The subscriptions of the components that each host feeds for itself.
pub fn subscriptions(generation: &Generation) -> impl Iterator<Item = &Subscription> {
    let all = generation.subscriptions.iter();
    all.filter(|subscription| match subscription.audience {
        Audience::EachHost => true,
        Audience::Shared => false,
    })
}

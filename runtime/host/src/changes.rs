//! The changes of a component as they happen: Server-Sent Events from the event log.
//!
//! The host itself sends them, so that a listener occupies a connection and no instance. A change is an event that the
//! consumer group of the component has acknowledged: a listener that asks the component again sees its effect.
//!
//! Each component has one [`feed`]. While it has listeners, one task reads the log up to what the group has
//! acknowledged, writes each change once ([`message`]) and keeps the newest ones in a bounded [`backlog`]; every
//! [`listener`] takes them from there. A listener that comes back with the [`position`] of its last change first gets
//! what it has missed from the log, in turns with others ([`catch_up`]).
//!
//! The events of a stream are sent in the order of the log. An event that fails therefore holds back the later ones of its
//! stream, until it is handled or becomes a dead letter.
//!
//! The company gets every change of the component, and a customer those that it may see ([`visibility`]). Positions are
//! the same for both: a listener passes the changes that it may not see.

mod backlog;
mod catch_up;
mod feed;
mod listener;
mod message;
mod position;
mod reader;
mod visibility;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime_wasi_http::WasiBody;

use crate::problem::Problem;
use catch_up::CatchUps;
use config::manifest::App;
use config::policy::{ChangesPolicy, PublicEvents};
use event_log::EventLog;
use event_log::delivery::{Acknowledgements, Subscription};
use feed::ChangeFeed;
use listener::Listener;
pub use visibility::Visibility;

/// The path at which the changes of a component are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRoute {
    /// The path.
    pub path: String,
    /// The events of the component.
    pub subscription: Subscription,
    /// The maximum number of listeners.
    pub max_listeners: usize,
    /// The number of changes that a listener may lag behind.
    pub backlog: usize,
    /// The age at which events are removed from the log; `None` if they are kept.
    pub retention: Option<Duration>,
    /// What every user may see.
    pub public: PublicEvents,
}

/// What the feeds read.
#[derive(Clone)]
pub struct ChangeSource {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The name of this host, of which consumer groups may be named.
    pub host: String,
    /// The news of acknowledgements in this process.
    pub acknowledgements: Acknowledgements,
}

/// Why a listener is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenError {
    /// There are as many listeners as may be.
    TooMany,
    /// The position is not one of this log, events after it have been removed, or there are too many.
    PositionGone,
    /// The event log did not answer, or the host stops.
    Unavailable,
}

/// The feeds of all components that have one.
#[derive(Clone)]
pub struct ChangeFeeds(Arc<FeedRegistry>);

struct FeedRegistry {
    source: ChangeSource,
    /// Reads the log.
    runtime: Handle,
    catch_ups: CatchUps,
    stop: CancellationToken,
    feeds: Mutex<BTreeMap<String, Arc<ChangeFeed>>>,
}

// === impl ChangeRoute ===

impl ChangeRoute {
    /// The routes of an application whose components have these subscriptions.
    pub fn of(app: &App, subscriptions: &[Subscription]) -> Vec<Self> {
        let components = app.components.iter();
        components
            .filter_map(|component| {
                let changes = component.policy.changes.as_ref()?;
                let mut subscriptions = subscriptions.iter();
                let subscription = subscriptions.find(|it| component.id == *it.component)?;
                let listeners = changes.listeners.as_ref();
                let listeners = listeners.map_or(ChangesPolicy::DEFAULT_LISTENERS, |it| it.value);
                Some(Self {
                    path: changes.path.value.clone(),
                    subscription: subscription.clone(),
                    max_listeners: listeners.min(app.listener.lasting_connections()),
                    backlog: changes.backlog,
                    retention: app.retention,
                    public: changes.public.clone(),
                })
            })
            .collect()
    }
}

// === impl ListenError ===

impl From<ListenError> for Problem {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::TooMany => Self::TooManyListeners,
            ListenError::PositionGone => Self::PositionGone,
            ListenError::Unavailable => Self::ChangesUnavailable,
        }
    }
}

// === impl ChangeFeeds ===

impl ChangeFeeds {
    /// Feeds that read from this source on this runtime, until `stop`.
    pub fn new(source: ChangeSource, runtime: Handle, stop: CancellationToken) -> Self {
        Self(Arc::new(FeedRegistry {
            source,
            catch_ups: CatchUps::new(runtime.clone()),
            runtime,
            stop,
            feeds: Mutex::default(),
        }))
    }

    /// Returns the changes of a route as they happen: from now on, or after the position of the last change that the
    /// listener knows. The listener has to come again at the time `until`, if there is one. `room` is the number of connections
    /// that may last.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn listen(
        &self,
        route: &ChangeRoute,
        last: Option<&str>,
        visibility: Visibility,
        until: Option<Instant>,
        room: usize,
    ) -> Result<WasiBody, ListenError> {
        let feed = self.feed(route);
        let place = feed.enter(route.max_listeners.min(room))?;
        let start = feed.start(last).await?;
        let listener = Listener::new(place, start, visibility).with_end(until);
        Ok(listener.into_body())
    }

    /// Ends the streams of all routes that are not among these, after a reload.
    pub fn keep(&self, routes: &[ChangeRoute]) {
        self.0.feeds.lock().retain(|_, feed| {
            let is_kept = routes.iter().any(|route| feed.serves(route));
            if !is_kept {
                feed.end();
            }
            is_kept
        });
    }

    /// Sets the metrics of the routes.
    pub fn export(&self, routes: &[ChangeRoute]) {
        let feeds = self.0.feeds.lock();
        for route in routes {
            let component = &route.subscription.component;
            let feed = feeds.get(component);
            let listeners = feed.map_or(0, |feed| feed.listener_count());
            gauge!("socar_change_listeners", "component" => component.clone())
                .set(listeners as f64);
            ChangeMeters::of(component);
        }
    }

    fn feed(&self, route: &ChangeRoute) -> Arc<ChangeFeed> {
        let registry = &*self.0;
        let mut feeds = registry.feeds.lock();
        let known = feeds.get(&route.subscription.component);
        if let Some(feed) = known {
            if feed.serves(route) {
                return feed.clone();
            }
            feed.end();
        }
        let feed = ChangeFeed::new(
            route,
            registry.source.clone(),
            registry.runtime.clone(),
            registry.catch_ups.clone(),
            registry.stop.child_token(),
        );
        feeds.insert(route.subscription.component.clone(), feed.clone());
        feed
    }
}

/// What a feed counts.
struct ChangeMeters {
    sent: metrics::Counter,
    lagged: metrics::Counter,
}

// === impl ChangeMeters ===

impl ChangeMeters {
    /// The counters of a component, which exist from now on.
    fn of(component: &str) -> Self {
        let component = || component.to_owned();
        let meters = Self {
            sent: counter!("socar_changes_sent_total", "component" => component()),
            lagged: counter!("socar_change_listeners_lagged_total", "component" => component()),
        };
        meters.sent.increment(0);
        meters.lagged.increment(0);
        meters
    }
}

#[cfg(test)]
mod tests;

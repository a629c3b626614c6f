//! The changes of one component, and the task that reads them from the log while there are listeners.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::backlog::{Backlog, Taken};
use super::catch_up::{self, CatchUps, Page, PendingPage};
use super::position::LogPosition;
use super::reader::{ChangeReader, milliseconds_now};
use super::visibility::SharedMessage;
use super::{ChangeMeters, ChangeRoute, ChangeSource, ListenError, message};
use event_log::delivery::{Acknowledgements, Audience};
use event_log::{EntryId, LogError};

/// The time between two heartbeats of a stream without changes.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// The shortest time between two looks at the log.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The longest time between two looks, without the news of an acknowledgement.
const MAX_INTERVAL: Duration = Duration::from_secs(1);

/// The same where other hosts acknowledge too, of which this one gets no news.
const MAX_INTERVAL_OF_SHARED: Duration = Duration::from_millis(200);

/// The longest time that a new listener waits for the log.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);

/// The number of changes that are read from the log at a time.
const PAGE: usize = 256;

/// The number of events that a listener may have missed when it comes back. It is faster for a client to read everything
/// again than to get more events than these.
const MAX_MISSED: usize = 10_000;

/// How long the host remembers where [`MAX_MISSED`] ends, which takes some milliseconds to find out.
const HORIZON_AGE: Duration = Duration::from_secs(10);

/// The changes of one component.
pub(super) struct ChangeFeed {
    route: ChangeRoute,
    reader: ChangeReader,
    acknowledgements: Acknowledgements,
    runtime: Handle,
    stop: CancellationToken,
    state: Mutex<FeedState>,
    /// Held while the feed begins, which takes requests to the log.
    beginning: tokio::sync::Mutex<()>,
    catch_ups: CatchUps,
    /// The newest event that a listener that comes back must know, if any, and since when. Held while it is read.
    horizon: tokio::sync::Mutex<Option<(Instant, Option<EntryId>)>>,
    /// The number of the next message, for listeners that wait for it.
    head: watch::Sender<u64>,
    pub meters: ChangeMeters,
}

#[derive(Default)]
struct FeedState {
    listeners: usize,
    /// Present while there are listeners.
    live: Option<LiveFeed>,
}

struct LiveFeed {
    /// How far the messages are.
    position: LogPosition,
    messages: Backlog,
}

/// Where a listener begins.
pub(super) enum ListenerStart {
    /// At this position, with the message of this number.
    Now(LogPosition, u64),
    /// After this position.
    After(LogPosition),
}

/// One of the listeners that may be there at the same time, until it is dropped.
pub(super) struct ListenerPlace(Arc<ChangeFeed>);

// === impl ChangeFeed ===

impl ChangeFeed {
    pub fn new(
        route: &ChangeRoute,
        source: ChangeSource,
        runtime: Handle,
        catch_ups: CatchUps,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            meters: ChangeMeters::of(&route.subscription.component),
            route: route.clone(),
            reader: ChangeReader::new(route, &source),
            acknowledgements: source.acknowledgements,
            runtime,
            stop,
            state: Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
            catch_ups,
            horizon: tokio::sync::Mutex::default(),
            head: watch::Sender::default(),
        })
    }

    /// Whether the feed is the one of this route.
    pub fn serves(&self, route: &ChangeRoute) -> bool {
        self.route == *route && !self.stop.is_cancelled()
    }

    /// Ends the streams of all listeners.
    pub fn end(&self) {
        self.stop.cancel();
    }

    pub fn listener_count(&self) -> usize {
        self.state.lock().listeners
    }

    /// Requests the next changes for a listener that is behind the position `now` of the feed.
    pub fn request_page(self: &Arc<Self>, after: &LogPosition, now: LogPosition) -> PendingPage {
        let (feed, mut position) = (self.clone(), after.clone());
        let read = async move {
            let messages = (feed.reader)
                .advance(&mut position, &now.ids, catch_up::PAGE)
                .await?;
            Ok(Page { messages, position })
        };
        self.catch_ups
            .request(read, self.stop.clone().cancelled_owned())
    }

    /// A place for a listener.
    ///
    /// # Errors
    /// If all are taken, or the host stops.
    pub fn enter(self: &Arc<Self>, max_listeners: usize) -> Result<ListenerPlace, ListenError> {
        if self.stop.is_cancelled() {
            return Err(ListenError::Unavailable);
        }
        let mut state = self.state.lock();
        if state.listeners >= max_listeners {
            return Err(ListenError::TooMany);
        }
        state.listeners += 1;
        Ok(ListenerPlace(self.clone()))
    }

    /// Where a new listener begins: now, or after its last position.
    ///
    /// # Errors
    /// If the position is gone, or the log does not answer in time.
    pub async fn start(self: &Arc<Self>, last: Option<&str>) -> Result<ListenerStart, ListenError> {
        let started = async {
            self.begin().await?;
            match last {
                None => {
                    let (position, next) = self.now().ok_or(ListenError::Unavailable)?;
                    Ok(ListenerStart::Now(position, next))
                }
                Some(last) => self.resumed(last).await.map(ListenerStart::After),
            }
        };
        let started = timeout(LOG_TIMEOUT, started).await;
        started.map_err(|_| ListenError::Unavailable)?
    }

    /// Changes when there are messages, and at the end of the feed.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// How far the feed is, and the number of its next message. `None` when it has ended.
    pub fn now(&self) -> Option<(LogPosition, u64)> {
        let state = self.state.lock();
        let live = state.live.as_ref().filter(|_| !self.stop.is_cancelled())?;
        Some((live.position.clone(), live.messages.next()))
    }

    /// The message with this number. `None` when the feed has ended.
    pub fn message(&self, number: u64) -> Option<Taken> {
        let state = self.state.lock();
        let live = state.live.as_ref()?;
        match live.messages.take(number) {
            // What was written before the end is sent.
            Taken::NotYet if self.stop.is_cancelled() => None,
            taken => Some(taken),
        }
    }

    // --- the beginning ---

    /// Starts the feed, if it has no other listener yet.
    async fn begin(self: &Arc<Self>) -> Result<(), ListenError> {
        let _one_at_a_time = self.beginning.lock().await;
        if self.state.lock().live.is_some() {
            return Ok(());
        }
        // Before the first look, so that no acknowledgement is missed.
        let news = self.acknowledgements.of_group(self.reader.group());
        let position = self.reader.newest().await.map_err(|error| {
            debug!(%error, "a listener for changes is refused: the event log is unavailable");
            ListenError::Unavailable
        })?;
        self.state.lock().live = Some(LiveFeed {
            position,
            messages: Backlog::new(self.route.backlog),
        });
        self.runtime.spawn(self.clone().run(news));
        Ok(())
    }

    /// The position of a listener that comes back.
    async fn resumed(self: &Arc<Self>, last: &str) -> Result<LogPosition, ListenError> {
        let (now, _) = self.now().ok_or(ListenError::Unavailable)?;
        let position = self.reader.resumed(last, &now).await;
        let position = position.map_err(|_| ListenError::Unavailable)?;
        let position = position.ok_or(ListenError::PositionGone)?;
        if position.is_behind(&now)
            && let Some(horizon) = self.horizon(&now).await?
        {
            let is_before = self.reader.is_before(horizon, &position, &now).await;
            if is_before.map_err(|_| ListenError::Unavailable)? {
                return Err(ListenError::PositionGone);
            }
        }
        Ok(position)
    }

    /// The newest event that a listener that comes back must know, if there are more than [`MAX_MISSED`].
    async fn horizon(self: &Arc<Self>, now: &LogPosition) -> Result<Option<EntryId>, ListenError> {
        let mut known = self.horizon.lock().await;
        if let Some((since, horizon)) = *known
            && since.elapsed() < HORIZON_AGE
        {
            return Ok(horizon);
        }
        let (feed, up_to) = (self.clone(), now.ids.clone());
        let read = async move { feed.reader.horizon(&up_to, MAX_MISSED).await };
        let read = self.runtime.spawn(read).await;
        let horizon = read.map_err(|_| ListenError::Unavailable)?;
        let horizon = horizon.map_err(|_| ListenError::Unavailable)?;
        *known = Some((Instant::now(), horizon));
        Ok(horizon)
    }

    // --- the task ---

    /// Reads changes until the last listener has gone, or until the end of the feed.
    async fn run(self: Arc<Self>, news: watch::Receiver<()>) {
        tokio::select! {
            () = self.read(news) => {}
            () = self.stop.cancelled() => {}
        }
        // Wakes the listeners, which find the feed at its end.
        self.head.send_modify(|_| {});
    }

    async fn read(&self, mut news: watch::Receiver<()>) {
        let max_interval = match self.route.subscription.audience {
            Audience::EachHost => MAX_INTERVAL,
            Audience::Shared => MAX_INTERVAL_OF_SHARED,
        };
        let component = &*self.route.subscription.component;
        let mut heartbeat = Instant::now() + HEARTBEAT;
        let mut is_available = true;
        while self.is_needed() {
            let sent = self.pass().await;
            match &sent {
                Ok(_) if !is_available => info!(component, "changes are sent again"),
                Err(error) if is_available => {
                    warn!(component, %error, "changes are not sent: the event log is unavailable");
                }
                _ => {}
            }
            is_available = sent.is_ok();
            if sent.is_ok_and(|sent| sent > 0) {
                heartbeat = Instant::now() + HEARTBEAT;
            } else if Instant::now() >= heartbeat {
                heartbeat = Instant::now() + HEARTBEAT;
                self.push(None, vec![message::heartbeat()]);
            }
            sleep(MIN_INTERVAL).await;
            // The sender lives as long as the acknowledgements of the host, or is renewed with the next listener.
            let _ = timeout(max_interval, news.changed()).await;
        }
    }

    /// Whether there are listeners. Without any, the feed ends here.
    fn is_needed(&self) -> bool {
        let mut state = self.state.lock();
        if state.listeners == 0 {
            state.live = None;
        }
        state.live.is_some() && !self.stop.is_cancelled()
    }

    /// Writes the messages of all changes that were acknowledged since the last pass, and returns their number.
    async fn pass(&self) -> Result<usize, LogError> {
        let Some((mut position, _)) = self.now() else {
            return Ok(0);
        };
        if !position.is_of(&self.reader.history().await?) {
            // The positions of the listeners are those of a history that is lost.
            warn!(
                component = self.route.subscription.component,
                "the event log continues as another history: listeners begin again"
            );
            self.end();
            return Ok(0);
        }
        let mut sent = 0;
        loop {
            let since = milliseconds_now();
            let up_to = self.reader.acknowledged(&position.ids).await?;
            if up_to == position.ids {
                position.since = since;
                self.push(Some(&position), Vec::new());
                return Ok(sent);
            }
            let messages = self.reader.advance(&mut position, &up_to, PAGE).await?;
            sent += messages.len();
            self.push(Some(&position), messages);
        }
    }

    fn push(&self, position: Option<&LogPosition>, messages: Vec<SharedMessage>) {
        let mut state = self.state.lock();
        let Some(live) = &mut state.live else {
            return;
        };
        if let Some(position) = position {
            live.position = position.clone();
        }
        if messages.is_empty() {
            return;
        }
        messages.into_iter().for_each(|it| live.messages.push(it));
        let next = live.messages.next();
        drop(state);
        self.head.send_replace(next);
    }
}

// === impl ListenerPlace ===

impl ListenerPlace {
    pub fn feed(&self) -> &Arc<ChangeFeed> {
        &self.0
    }
}

impl Drop for ListenerPlace {
    fn drop(&mut self) {
        self.0.state.lock().listeners -= 1;
    }
}

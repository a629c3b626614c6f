//! One listener: what it has missed, then every change as it happens.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use wasmtime_wasi_http::WasiBody;

use super::backlog::Taken;
use super::feed::{HEARTBEAT, ListenerPlace, ListenerStart};
use super::message;
use super::position::LogPosition;
use super::visibility::Visibility;

/// The number of changes that a listener reads from the log at a time, and that it holds at most.
const PAGE: usize = 16;

/// A client that gets the changes of a component.
pub(super) struct Listener {
    place: ListenerPlace,
    head: watch::Receiver<u64>,
    /// Messages for this listener only.
    own: VecDeque<Bytes>,
    progress: ListenerProgress,
    visibility: Visibility,
    /// When it has to come again, if ever: it may no longer be allowed to listen.
    until: Option<Instant>,
    /// When it last got a message.
    sent: Instant,
}

enum ListenerProgress {
    /// It reads from the log: it has other changes behind it than the feed.
    Behind(LogPosition),
    /// Its next message is the one of the feed with this number.
    Live(u64),
    Ended,
}

// === impl Listener ===

impl Listener {
    /// A listener at this place.
    pub fn new(place: ListenerPlace, start: ListenerStart, visibility: Visibility) -> Self {
        let (position, progress) = match start {
            ListenerStart::Now(position, next) => (position, ListenerProgress::Live(next)),
            ListenerStart::After(position) => {
                (position.clone(), ListenerProgress::Behind(position))
            }
        };
        Self {
            head: place.feed().head(),
            place,
            own: VecDeque::from([message::opening(&position)]),
            progress,
            visibility,
            until: None,
            sent: Instant::now(),
        }
    }

    /// The same listener, which has to come again at this time if there is one.
    pub fn with_end(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// The messages as the body of a response.
    pub fn into_body(self) -> WasiBody {
        let messages = futures::stream::unfold(self, |mut listener| async move {
            let message = listener.next().await?;
            Some((message, listener))
        });
        StreamBody::new(messages.map(|it| Ok(Frame::data(it)))).boxed_unsync()
    }

    /// The next message, as soon as there is one. `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.own.pop_front() {
                self.sent = Instant::now();
                return Some(message);
            }
            // Before the look, so that no message is missed.
            self.head.mark_unchanged();
            let has_taken = match &self.progress {
                ListenerProgress::Ended => return None,
                _ if self.is_over() => {
                    self.end(message::resume());
                    true
                }
                // On the heap while it lasts: the space would be part of every listener.
                ListenerProgress::Behind(_) => Box::pin(self.catch_up()).await,
                ListenerProgress::Live(number) => self.take(*number),
            };
            if !has_taken {
                self.wait().await;
            }
        }
    }

    /// Waits for a message, or for the end of its time. A listener without an end has no timer.
    async fn wait(&mut self) {
        // The feed lives as long as this listener.
        let _ = match self.until {
            Some(until) => timeout_at(until, self.head.changed()).await.is_ok(),
            None => self.head.changed().await.is_ok(),
        };
    }

    /// Whether the time of the listener is over.
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Takes a message of the feed. Returns whether there was anything to take.
    fn take(&mut self, number: u64) -> bool {
        match self.place.feed().message(number) {
            Some(Taken::Message(taken)) => {
                self.progress = ListenerProgress::Live(number + 1);
                if let Some(message) = taken.visible(&self.visibility) {
                    self.place.feed().meters.sent.increment(1);
                    self.own.push_back(message);
                } else if self.sent.elapsed() >= HEARTBEAT {
                    let position = taken.position_line().map(message::passed);
                    self.own.extend(position);
                }
            }
            Some(Taken::NotYet) => return false,
            Some(Taken::Gone) => {
                self.place.feed().meters.lagged.increment(1);
                self.end(message::resume());
            }
            None => self.end(message::stopping()),
        }
        true
    }

    /// Reads what the feed has sent before. Returns whether there was anything to read.
    async fn catch_up(&mut self) -> bool {
        let feed = self.place.feed().clone();
        let ListenerProgress::Behind(position) = &mut self.progress else {
            return true;
        };
        let Some((now, next)) = feed.now() else {
            self.end(message::stopping());
            return true;
        };
        if position.is_as_far_as(&now) {
            // The last change that it may see can be far behind.
            if self.visibility != Visibility::Everything {
                self.own.push_back(message::caught_up(position));
            }
            self.progress = ListenerProgress::Live(next);
            return true;
        }
        let before = position.clone();
        match feed.reader().advance(position, &now.ids, PAGE).await {
            Ok(messages) => {
                let has_moved = *position != before;
                let messages = messages.iter();
                let visible = messages.filter_map(|it| it.visible(&self.visibility));
                let before = self.own.len();
                self.own.extend(visible);
                let sent = self.own.len() - before;
                feed.meters.sent.increment(sent as u64);
                // A listener of another host may be ahead of this one, and waits until it has come as far.
                has_moved
            }
            Err(error) => {
                debug!(%error, "a listener comes back later: the event log is unavailable");
                self.end(message::resume());
                true
            }
        }
    }

    fn end(&mut self, last: Bytes) {
        self.own.push_back(last);
        self.progress = ListenerProgress::Ended;
    }
}

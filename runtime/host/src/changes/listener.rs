//! One listener: what it has missed, then every change as it happens.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use wasmtime_wasi_http::WasiBody;

use super::backlog::Taken;
use super::catch_up::{Page, PendingPage};
use super::feed::{HEARTBEAT, ListenerPlace, ListenerStart};
use super::message;
use super::position::LogPosition;
use super::visibility::Visibility;

/// A client that gets the changes of a component.
pub(super) struct Listener {
    place: ListenerPlace,
    head: watch::Receiver<u64>,
    /// Messages for this listener only, several of them together where it has missed them.
    own: VecDeque<Bytes>,
    progress: ListenerProgress,
    visibility: Visibility,
    /// When it has to come again, if ever: it may no longer be allowed to listen.
    until: Option<Instant>,
    /// When it last got a message.
    sent: Instant,
}

enum ListenerProgress {
    /// It is at this position: it has other changes behind it than the feed, and gets pages from the log.
    Behind(LogPosition, Option<PendingPage>),
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
                (position.clone(), ListenerProgress::Behind(position, None))
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
                ListenerProgress::Behind(..) => Box::pin(self.catch_up()).await,
                ListenerProgress::Live(number) => self.take(*number),
            };
            if !has_taken {
                self.wait().await;
            }
        }
    }

    /// Waits for a message, for the end of its time, or for its heartbeat. A listener that the feed serves and that has no
    /// end has no timer.
    async fn wait(&mut self) {
        // The feed lives as long as this listener.
        let _ = match self.timer() {
            Some(timer) => timeout_at(timer, self.head.changed()).await.is_ok(),
            None => self.head.changed().await.is_ok(),
        };
    }

    /// When the listener has to act without a message.
    fn timer(&self) -> Option<Instant> {
        let heartbeat = self.heartbeat();
        match &self.progress {
            // The heartbeats of the feed do not reach it.
            ListenerProgress::Behind(..) => {
                Some(self.until.map_or(heartbeat, |until| until.min(heartbeat)))
            }
            _ => self.until,
        }
    }

    /// When its client has got nothing for the time of a heartbeat.
    fn heartbeat(&self) -> Instant {
        self.sent + HEARTBEAT
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

    /// Takes a page of what the feed has sent before. Returns whether there was anything to take, or to do meanwhile.
    async fn catch_up(&mut self) -> bool {
        let feed = self.place.feed().clone();
        let (timer, heartbeat) = (self.timer(), self.heartbeat());
        let ListenerProgress::Behind(position, page) = &mut self.progress else {
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
        if Instant::now() >= heartbeat {
            let position = format!("id: {position}");
            self.own.push_back(message::passed(&position));
            return true;
        }
        if !position.is_behind(&now) {
            // A listener of another host may be ahead of this one, and waits until it has come as far.
            return false;
        }
        let pending = page.get_or_insert_with(|| feed.request_page(position, now));
        let requested = timeout_at(timer.unwrap_or(heartbeat), pending).await;
        let Ok(requested) = requested else {
            // It keeps its turn.
            return true;
        };
        *page = None;
        match requested {
            Ok(Ok(page)) => self.pass(page),
            Ok(Err(error)) => {
                debug!(%error, "a listener comes back later: the event log is unavailable");
                self.end(message::resume());
            }
            Err(_) => self.end(message::stopping()),
        }
        true
    }

    /// Sends what the listener may see of a page, as one frame.
    fn pass(&mut self, page: Page) {
        let messages = page.messages.iter();
        let visible = messages.filter_map(|it| it.visible(&self.visibility));
        let mut frame = BytesMut::new();
        let mut count = 0;
        for message in visible {
            frame.extend_from_slice(&message);
            count += 1;
        }
        self.progress = ListenerProgress::Behind(page.position, None);
        if count > 0 {
            self.place.feed().meters.sent.increment(count);
            self.own.push_back(frame.freeze());
        }
    }

    fn end(&mut self, last: Bytes) {
        self.own.push_back(last);
        self.progress = ListenerProgress::Ended;
    }
}

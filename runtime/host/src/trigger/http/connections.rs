//! The connections of the listener: what each one does, and which of them may be closed.
//!
//! A connection whose request is being answered to a client that reads is never closed. Another one is closed when its
//! client takes too long to send the head of a request, when it has been idle for too long, or when the limit is reached
//! and a new client connects: then the connection is closed whose client has read nothing of its answers for the longest
//! time, or else the one that has been idle longest, or else the one whose body arrives most slowly. Clients that send
//! nothing, send very slowly or do not read can therefore not keep out a client that has a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::capacity::ConnectionCapacity;
use config::policy::ListenerLimits;

/// A body that has arrived for less than this time is not slow yet.
const BODY_GRACE: Duration = Duration::from_millis(250);

/// A client that has read nothing for less than this time may be on a slow network.
const READ_GRACE: Duration = Duration::from_secs(1);

/// The first bytes of every HTTP/2 connection.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// All open connections of the listener.
pub struct ConnectionTracker {
    capacity: ConnectionCapacity,
    open: Mutex<OpenConnections>,
}

struct OpenConnections {
    next_number: u64,
    by_number: BTreeMap<u64, Arc<ConnectionState>>,
}

/// One open connection; it is tracked until this value is dropped.
pub struct TrackedConnection {
    tracker: Arc<ConnectionTracker>,
    number: u64,
    /// Its activity.
    pub state: Arc<ConnectionState>,
    /// Whether it is within the limit; otherwise it gets only the health of the platform, and 503 for anything else.
    pub admitted: bool,
}

/// The activity of one connection.
pub struct ConnectionState {
    activity: Mutex<Activity>,
    close_requested: Notify,
}

struct Activity {
    /// Requests in progress.
    requests: usize,
    /// When the last request or write ended.
    idle_since: Instant,
    /// When the first byte of a request head arrived that is not yet complete.
    head_since: Option<Instant>,
    /// Whether response bytes wait until the client reads.
    write_stalled: bool,
    /// Whether requests can be interleaved, so that a head cannot be told from other traffic.
    http2: bool,
    /// Whether a response was sent before the body of its request was read.
    unread_body: bool,
    /// Requests whose body is arriving.
    bodies: usize,
    /// When the first of these bodies began, and the bytes since then.
    body_since: Instant,
    body_bytes: u64,
    /// Requests whose client has not read what was offered to it of the answer.
    unread_answers: usize,
    /// When the client read a part of any of these answers, or was offered the first one.
    read_at: Instant,
    close_reason: Option<CloseReason>,
}

/// Why the host closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The head or the body of a request took too long.
    SlowRequest,
    /// It was idle for too long.
    Idle,
    /// A new connection needs its place.
    Displaced,
    /// The client reads its answer most slowly of all, and memory is needed.
    SlowReader,
}

/// A request in progress, until it is dropped.
pub struct RequestGuard(Arc<ConnectionState>);

/// An answer of which something is unread, until it is dropped.
pub struct UnreadGuard(Arc<ConnectionState>);

/// A body that is arriving, until it is dropped.
pub struct BodyGuard(Arc<ConnectionState>);

// === impl ConnectionTracker ===

impl ConnectionTracker {
    /// Tracks up to so many connections.
    pub fn new(capacity: ConnectionCapacity) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            open: Mutex::new(OpenConnections {
                next_number: 0,
                by_number: BTreeMap::new(),
            }),
        })
    }

    /// Tracks a new connection; `None` if there are too many even for a refusal. `limit` is the number of connections
    /// that may send any request.
    pub fn open(self: &Arc<Self>, limit: usize) -> Option<TrackedConnection> {
        let ConnectionCapacity { admitted, refused } = self.capacity;
        let limit = limit.min(admitted);
        let mut connections = self.open.lock();
        let count = connections.by_number.len();
        if count >= limit + refused {
            // The next one may find a place.
            connections.displace();
            return None;
        }
        let admitted = count < limit || connections.displace();
        let state = Arc::new(ConnectionState::new());
        let number = connections.next_number;
        connections.next_number += 1;
        connections.by_number.insert(number, state.clone());
        Some(TrackedConnection {
            tracker: self.clone(),
            number,
            state,
            admitted,
        })
    }

    /// Closes the connections whose head or idle time has passed its limit at `now`.
    pub fn close_overdue(&self, limits: &ListenerLimits, now: Instant) {
        for connection in self.open.lock().by_number.values() {
            if let Some(reason) = connection.overdue(limits, now) {
                connection.close(reason);
            }
        }
    }

    /// The number of connections that may be in use for as long as their clients like. The others are for requests.
    pub fn lasting_connections(&self) -> usize {
        let admitted = self.capacity.admitted;
        admitted - admitted.div_ceil(8)
    }

    /// The number of open connections.
    pub fn count(&self) -> usize {
        self.open.lock().by_number.len()
    }

    /// Closes the connection whose body arrives most slowly; false if there is none.
    pub fn close_slowest_body(&self) -> bool {
        self.open.lock().close_slowest_body()
    }
}

impl OpenConnections {
    /// Whether a connection was found to close.
    fn displace(&self) -> bool {
        self.close_longest_unread() || self.close_longest_idle() || self.close_slowest_body()
    }

    /// Whether a connection was found to close whose client does not read.
    fn close_longest_unread(&self) -> bool {
        self.displace_first(Activity::unread_since)
    }

    fn close_slowest_body(&self) -> bool {
        let slow = self.by_number.values().filter_map(|connection| {
            let rate = connection.activity.lock().body_rate()?;
            Some((rate, connection))
        });
        let Some((_, connection)) = slow.min_by(|(a, _), (b, _)| a.total_cmp(b)) else {
            return false;
        };
        connection.close(CloseReason::SlowRequest);
        true
    }

    /// Whether an idle connection was found to close.
    fn close_longest_idle(&self) -> bool {
        self.displace_first(Activity::idle_since)
    }

    /// Closes the connection for which `since` returns the earliest time; false if it returns none.
    fn displace_first(&self, since: impl Fn(&Activity) -> Option<Instant>) -> bool {
        let found = self.by_number.values().filter_map(|connection| {
            let since = since(&connection.activity.lock())?;
            Some((since, connection))
        });
        let Some((_, connection)) = found.min_by_key(|(since, _)| *since) else {
            return false;
        };
        connection.close(CloseReason::Displaced);
        true
    }
}

impl Drop for TrackedConnection {
    fn drop(&mut self) {
        self.tracker.open.lock().by_number.remove(&self.number);
    }
}

// === impl TrackedConnection ===

impl TrackedConnection {
    /// All connections of the same listener.
    pub fn tracker(&self) -> &Arc<ConnectionTracker> {
        &self.tracker
    }
}

// === impl ConnectionState ===

impl ConnectionState {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            activity: Mutex::new(Activity {
                requests: 0,
                idle_since: now,
                // A client that connects is expected to send a request.
                head_since: Some(now),
                write_stalled: false,
                http2: false,
                unread_body: false,
                bodies: 0,
                body_since: now,
                body_bytes: 0,
                unread_answers: 0,
                read_at: now,
                close_reason: None,
            }),
            close_requested: Notify::new(),
        }
    }

    /// Records bytes that the client sent.
    pub fn received(&self, bytes: &[u8]) {
        let mut activity = self.activity.lock();
        activity.http2 |= bytes.starts_with(HTTP2_PREFACE);
        activity.body_bytes += bytes.len() as u64;
        if activity.requests == 0 && activity.head_since.is_none() {
            activity.head_since = Some(Instant::now());
        }
    }

    /// Records that response bytes wait until the client reads.
    pub fn write_stalled(&self) {
        self.activity.lock().set_write_stalled(true);
    }

    /// Records that the client reads again.
    pub fn write_resumed(&self) {
        self.activity.lock().set_write_stalled(false);
    }

    /// Whether response bytes wait until the client reads.
    pub fn is_write_stalled(&self) -> bool {
        self.activity.lock().write_stalled
    }

    /// Records a request whose head is complete.
    pub fn begin_request(self: &Arc<Self>) -> RequestGuard {
        let mut activity = self.activity.lock();
        activity.requests += 1;
        activity.head_since = None;
        RequestGuard(self.clone())
    }

    /// Records that the client is offered the first part of an answer.
    pub fn begin_unread(self: &Arc<Self>) -> UnreadGuard {
        let mut activity = self.activity.lock();
        if activity.unread_answers == 0 {
            activity.read_at = Instant::now();
        }
        activity.unread_answers += 1;
        UnreadGuard(self.clone())
    }

    /// Records that the body of a request is arriving.
    pub fn begin_body(self: &Arc<Self>) -> BodyGuard {
        let mut activity = self.activity.lock();
        if activity.bodies == 0 {
            activity.body_since = Instant::now();
            activity.body_bytes = 0;
        }
        activity.bodies += 1;
        BodyGuard(self.clone())
    }

    /// Records that a response was sent before the body of its request was read.
    pub fn leave_body_unread(&self) {
        self.activity.lock().unread_body = true;
    }

    /// Whether a response was sent before the body of its request was read.
    pub fn has_unread_body(&self) -> bool {
        self.activity.lock().unread_body
    }

    /// Whether no request and no write is in progress.
    pub fn is_idle(&self) -> bool {
        let activity = self.activity.lock();
        activity.requests == 0 && !activity.write_stalled
    }

    /// Returns when the host wants the connection closed.
    pub async fn close_requested(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.activity.lock().close_reason {
                return reason;
            }
            self.close_requested.notified().await;
        }
    }

    /// Ends the connection, whose client reads its answer too slowly.
    pub fn give_up_answer(&self) {
        self.close(CloseReason::SlowReader);
    }

    fn close(&self, reason: CloseReason) {
        self.activity.lock().close_reason = Some(reason);
        self.close_requested.notify_one();
    }

    fn overdue(&self, limits: &ListenerLimits, now: Instant) -> Option<CloseReason> {
        let activity = self.activity.lock();
        let idle_since = activity.idle_since()?;
        match activity.head_since {
            Some(since) if !activity.http2 && now >= since + limits.head_time => {
                Some(CloseReason::SlowRequest)
            }
            _ if now >= idle_since + limits.idle => Some(CloseReason::Idle),
            _ => None,
        }
    }
}

impl Activity {
    fn set_write_stalled(&mut self, stalled: bool) {
        self.write_stalled = stalled;
        self.idle_since = Instant::now();
    }

    /// Since when the client has read nothing of any answer; `None` if it reads, or waits for an answer.
    fn unread_since(&self) -> Option<Instant> {
        let since = match self.write_stalled {
            // The time at which the last write began to wait.
            true => self.idle_since,
            false if self.unread_answers > 0 && self.unread_answers == self.requests => {
                self.read_at
            }
            false => return None,
        };
        let may_be_closed = since.elapsed() >= READ_GRACE && self.close_reason.is_none();
        may_be_closed.then_some(since)
    }

    /// The bytes per second that arrive, if the connection does nothing else than to receive bodies.
    fn body_rate(&self) -> Option<f64> {
        let age = self.body_since.elapsed();
        let is_receiving = self.bodies > 0 && self.bodies == self.requests;
        let may_be_closed = is_receiving && age >= BODY_GRACE && self.close_reason.is_none();
        may_be_closed.then(|| self.body_bytes as f64 / age.as_secs_f64())
    }

    /// When the connection became idle; `None` while it is in use or already being closed.
    fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.requests == 0 && !self.write_stalled && self.close_reason.is_none();
        is_idle.then_some(self.idle_since)
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let mut activity = self.0.activity.lock();
        activity.requests -= 1;
        activity.idle_since = Instant::now();
    }
}

impl UnreadGuard {
    /// Records that the client has read a part of the answer, and is offered the next one.
    pub fn next_part(&self) {
        self.0.activity.lock().read_at = Instant::now();
    }
}

impl Drop for UnreadGuard {
    fn drop(&mut self) {
        let mut activity = self.0.activity.lock();
        activity.unread_answers -= 1;
        activity.read_at = Instant::now();
    }
}

impl Drop for BodyGuard {
    fn drop(&mut self) {
        self.0.activity.lock().bodies -= 1;
    }
}

#[cfg(test)]
mod tests;

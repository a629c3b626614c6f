//! Who is connected, and what for: the book that the listener keeps to send the right ones away.
//!
//! A connection with a request under way is never sent away. One without is, when its client takes too long to say what
//! it wants, when it has been idle for too long, or when all places are taken and somebody else asks for one: then the
//! one that has been quiet for longest goes. A crowd of clients that say nothing, or say it very slowly, can therefore
//! hold no place against one that has a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use metrics::gauge;
use parking_lot::Mutex;
use tokio::sync::Notify;

use config::policy::Listener;

/// Connections above the limit that are still answered: with the health of the platform, or a refusal.
const STANDING: usize = 64;

/// Everybody who is connected.
#[derive(Default)]
pub struct Crowd(Mutex<Book>);

#[derive(Default)]
struct Book {
    next: u64,
    present: BTreeMap<u64, Arc<Presence>>,
}

/// One connection in the book, until it is dropped.
pub struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    /// What is known of it.
    pub presence: Arc<Presence>,
    /// Whether it has a place of its own, and may ask for anything.
    pub seated: bool,
}

/// What one connection is doing.
pub struct Presence {
    doing: Mutex<Doing>,
    dismissal: Notify,
}

struct Doing {
    /// Requests under way.
    requests: usize,
    /// Since when there is none.
    quiet_since: Instant,
    /// When the head of a request began that has not been read to its end.
    head_since: Option<Instant>,
    /// Whether an answer waits for the client to take it.
    writing: bool,
    /// Whether requests can be interleaved: then heads cannot be told from other traffic.
    http2: bool,
    /// Whether it was answered before its body was read.
    unread: bool,
    dismissed: Option<Dismissal>,
}

/// Why a connection is sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dismissal {
    /// The head of its request took too long.
    Slow,
    /// It has not been used for a while, or somebody else needs its place.
    Idle,
}

/// A request under way, until it is dropped.
pub struct Visit(Arc<Presence>);

// === impl Crowd ===

impl Crowd {
    /// A place for a newcomer, or none if not even a refusal can be spared.
    pub fn enter(self: &Arc<Self>, limit: usize) -> Option<Place> {
        let mut book = self.0.lock();
        let taken = book.present.len();
        if taken >= limit + STANDING {
            return None;
        }
        let seated = taken < limit || book.make_room();
        let presence = Arc::new(Presence::new());
        let number = book.next;
        book.next += 1;
        book.present.insert(number, presence.clone());
        book.tell();
        Some(Place {
            crowd: self.clone(),
            number,
            presence,
            seated,
        })
    }

    /// Sends those away who are overdue.
    pub fn tidy(&self, limits: &Listener, now: Instant) {
        for presence in self.0.lock().present.values() {
            if let Some(dismissal) = presence.overdue(limits, now) {
                presence.dismiss(dismissal);
            }
        }
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.0.lock().present.len()
    }
}

impl Book {
    fn tell(&self) {
        gauge!("socar_connections").set(self.present.len() as f64);
    }

    fn make_room(&self) -> bool {
        let quiet = self.present.values().filter_map(|presence| {
            let since = presence.doing.lock().quiet()?;
            Some((since, presence))
        });
        match quiet.min_by_key(|(since, _)| *since) {
            Some((_, presence)) => {
                presence.dismiss(Dismissal::Idle);
                true
            }
            None => false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.crowd.0.lock();
        book.present.remove(&self.number);
        book.tell();
    }
}

// === impl Presence ===

impl Presence {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            doing: Mutex::new(Doing {
                requests: 0,
                quiet_since: now,
                // Whoever comes is expected to say what he wants.
                head_since: Some(now),
                writing: false,
                http2: false,
                unread: false,
                dismissed: None,
            }),
            dismissal: Notify::new(),
        }
    }

    /// Bytes have come; `preface` if they are the beginning of HTTP/2.
    pub fn hears(&self, preface: bool) {
        let mut doing = self.doing.lock();
        doing.http2 |= preface;
        if doing.requests == 0 && doing.head_since.is_none() {
            doing.head_since = Some(Instant::now());
        }
    }

    /// An answer waits for the client, or does so no longer.
    pub fn writes(&self, writing: bool) {
        let mut doing = self.doing.lock();
        doing.writing = writing;
        doing.quiet_since = Instant::now();
    }

    /// A request has arrived.
    pub fn begin(self: &Arc<Self>) -> Visit {
        let mut doing = self.doing.lock();
        doing.requests += 1;
        doing.head_since = None;
        Visit(self.clone())
    }

    /// The request was answered before its body was read.
    pub fn leave_unread(&self) {
        self.doing.lock().unread = true;
    }

    /// Whether an answer was given before the body of its request was read.
    pub fn is_unread(&self) -> bool {
        self.doing.lock().unread
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        let doing = self.doing.lock();
        doing.requests == 0 && !doing.writing
    }

    /// Returns when the connection is to be closed.
    pub async fn dismissed(&self) -> Dismissal {
        loop {
            if let Some(dismissal) = self.doing.lock().dismissed {
                return dismissal;
            }
            self.dismissal.notified().await;
        }
    }

    fn dismiss(&self, dismissal: Dismissal) {
        self.doing.lock().dismissed = Some(dismissal);
        self.dismissal.notify_one();
    }

    fn overdue(&self, limits: &Listener, now: Instant) -> Option<Dismissal> {
        let doing = self.doing.lock();
        let quiet_since = doing.quiet()?;
        match doing.head_since {
            Some(since) if !doing.http2 && now >= since + limits.head_time => Some(Dismissal::Slow),
            _ if now >= quiet_since + limits.idle => Some(Dismissal::Idle),
            _ => None,
        }
    }
}

impl Doing {
    /// Since when the connection does nothing for which it should be kept.
    fn quiet(&self) -> Option<Instant> {
        let quiet = self.requests == 0 && !self.writing && self.dismissed.is_none();
        quiet.then_some(self.quiet_since)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut doing = self.0.doing.lock();
        doing.requests -= 1;
        doing.quiet_since = Instant::now();
    }
}

#[cfg(test)]
mod tests;

//! The body of a request, received to its end before anybody is called.
//!
//! A client that sends slowly then costs a connection and a few bytes, and not an instance, a place in a queue or the
//! deadline of a component; and what is too long is known before anything was done about it. What all clients together
//! may leave here is bounded ([`Warehouse`]).

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::body::Held;
use crate::policy::Listener;
use crate::problem::{Problem, full};

/// What is read and thrown away of a body that is too long, so that its sender gets to read the answer.
const LEFTOVERS: u64 = 16 << 20;

/// How long that may take.
const LINGER: Duration = Duration::from_secs(1);

/// Room for the bodies that are being received or worked on.
#[derive(Clone)]
pub struct Warehouse(Arc<Semaphore>);

/// Why a body was not received.
pub struct Refusal {
    /// What to answer.
    pub problem: Problem,
    /// Whether the client has more to send: the connection is of no use any more.
    pub unread: bool,
}

/// A body on its way in.
struct Upload<'a> {
    body: Incoming,
    limit: u64,
    listener: &'a Listener,
    warehouse: &'a Warehouse,
}

/// A body, or what has come of it so far, and the room that it takes.
#[derive(Default)]
pub struct Received {
    frames: Vec<Frame<Bytes>>,
    length: u64,
    room: Option<OwnedSemaphorePermit>,
}

/// Receives the whole body of a request.
///
/// # Errors
/// When it is too long, too slow, cut off, or more than fits in beside all others.
pub async fn receive(
    headers: &HeaderMap,
    body: Incoming,
    limit: u64,
    listener: &Listener,
    warehouse: &Warehouse,
) -> Result<Received, Refusal> {
    if body.is_end_stream() {
        return Ok(Received::default());
    }
    let upload = Upload {
        body,
        limit,
        listener,
        warehouse,
    };
    let announced = announced_length(headers).filter(|length| *length > limit);
    match announced {
        // To read anything would be to ask a polite client for all of it.
        Some(length) if headers.contains_key(EXPECT) || length > limit + LEFTOVERS => {
            Err(Refusal {
                problem: Problem::PayloadTooLarge { limit },
                unread: true,
            })
        }
        Some(_) => Err(upload.too_large().await),
        None => upload.receive().await,
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

// === impl Warehouse ===

impl Warehouse {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    fn store(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        self.0.clone().try_acquire_many_owned(bytes).ok()
    }
}

// === impl Upload ===

impl Upload<'_> {
    async fn receive(mut self) -> Result<Received, Refusal> {
        let end = Instant::now() + self.listener.body_time;
        let mut received = Received::default();
        while !self.body.is_end_stream() {
            let patience = end.min(Instant::now() + self.listener.body_pause);
            let frame = match timeout_at(patience, self.body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(unread(Problem::BodyIncomplete)),
                Err(_) => return Err(unread(Problem::RequestTimeout)),
            };
            let length = frame.data_ref().map_or(0, Bytes::len);
            received.length += length as u64;
            if received.length > self.limit {
                return Err(self.too_large().await);
            }
            let Some(room) = self.warehouse.store(length) else {
                return Err(unread(Problem::Crowded));
            };
            received.add(frame, room);
        }
        Ok(received)
    }

    /// Most clients read no answer before they have sent everything: a bounded part is read in their stead.
    async fn too_large(mut self) -> Refusal {
        let mut left = LEFTOVERS;
        let end = Instant::now() + LINGER;
        let unread = loop {
            match timeout_at(end, self.body.frame()).await {
                Ok(None) => break false,
                Ok(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                    match left.checked_sub(length) {
                        Some(rest) => left = rest,
                        None => break true,
                    }
                }
                Ok(Some(Err(_))) | Err(_) => break true,
            }
        };
        Refusal {
            problem: Problem::PayloadTooLarge { limit: self.limit },
            unread,
        }
    }
}

fn unread(problem: Problem) -> Refusal {
    Refusal {
        problem,
        unread: true,
    }
}

// === impl Received ===

impl Received {
    fn add(&mut self, frame: Frame<Bytes>, room: OwnedSemaphorePermit) {
        match &mut self.room {
            Some(taken) => taken.merge(room),
            None => self.room = Some(room),
        }
        self.frames.push(frame);
    }

    /// To be handed on.
    pub fn into_body(self) -> WasiBody {
        if self.frames.is_empty() {
            return full(Bytes::new());
        }
        let frames = self.frames.into_iter().map(Ok::<_, Error>);
        let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
        Held::new(body, self.room).boxed_unsync()
    }
}

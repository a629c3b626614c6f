//! Receives the whole body of a request before the component is called.
//!
//! A client that sends slowly then occupies a connection and a small buffer, but no instance, no queue slot and no part
//! of the component's deadline. A body above the size limit is detected before any work was done for it. The memory of
//! all bodies together is bounded by a [`ByteBudget`]; when it is used up, the body that arrives most slowly is given up.

use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{Error, WasiBody};

use super::ClientInfo;
use crate::body::GuardedBody;
use crate::body::full;
use crate::byte_budget::{ByteBudget, ByteReservation};
use crate::problem::Problem;
use config::policy::ListenerLimits;

/// Maximum number of bytes that are read and discarded from an oversized body, so that the client can read the response.
const MAX_DISCARDED_BYTES: u64 = 16 << 20;

/// Time limit for discarding an oversized body.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// The bytes per second that a client must send on average, once a body has arrived for `body_pause`.
const MIN_RATE: u64 = 512;

/// How long a body waits for memory that another body gives up.
const MEMORY_TIMEOUT: Duration = Duration::from_millis(250);

/// The memory for bodies, and the client on whose behalf it is used.
#[derive(Clone, Copy)]
pub struct UploadBudget<'a> {
    /// The memory for the bodies of all clients.
    pub bytes: &'a ByteBudget,
    /// The client that sends this body.
    pub client: &'a ClientInfo,
}

/// Reason why a body was not received.
pub struct Refusal {
    /// Problem to respond with.
    pub problem: Problem,
    /// Whether the client has more data to send. The connection cannot be reused then.
    pub unread: bool,
}

/// A body that is being received.
struct Upload<'a> {
    body: Incoming,
    limit: u64,
    listener: &'a ListenerLimits,
    budget: UploadBudget<'a>,
}

/// The bytes received of a body, with the part of the memory budget that they occupy.
#[derive(Default)]
pub struct Received {
    content: Content,
    trailers: Option<HeaderMap>,
    length: u64,
    room: Option<ByteReservation>,
}

/// Bytes of a body, stored contiguously: a separate chunk has about 100 bytes of overhead, and may keep a buffer alive
/// that is much larger than the chunk.
#[derive(Default)]
enum Content {
    #[default]
    Nothing,
    /// A single chunk, not copied.
    One(Bytes),
    Many(BytesMut),
}

/// Receives the whole body of a request; `limit` is its maximum length in bytes.
///
/// # Errors
/// When the body is longer than `limit`, arrives too slowly, is cut off, or does not fit into the memory budget.
pub async fn receive(
    headers: &HeaderMap,
    body: Incoming,
    limit: u64,
    listener: &ListenerLimits,
    budget: UploadBudget<'_>,
) -> Result<Received, Refusal> {
    if body.is_end_stream() {
        return Ok(Received::default());
    }
    let _arriving = budget.client.connection.begin_body();
    let upload = Upload {
        body,
        limit,
        listener,
        budget,
    };
    let oversized = content_length(headers).filter(|length| *length > limit);
    match oversized {
        // No byte is read: reading would send `100 Continue` to a client that waits for it, which would then send everything.
        Some(length) if headers.contains_key(EXPECT) || length > limit + MAX_DISCARDED_BYTES => {
            Err(Refusal {
                problem: Problem::PayloadTooLarge { limit },
                unread: true,
            })
        }
        Some(_) => Err(upload.too_large().await),
        None => upload.receive().await,
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

// === impl Upload ===

impl Upload<'_> {
    async fn receive(mut self) -> Result<Received, Refusal> {
        let start = Instant::now();
        let end = start + self.listener.body_time;
        let mut received = Received::default();
        while !self.body.is_end_stream() {
            let deadline = end.min(Instant::now() + self.listener.body_pause);
            let frame = match timeout_at(deadline, self.body.frame()).await {
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
            let elapsed = start.elapsed();
            let is_slow = received.length < MIN_RATE * elapsed.as_secs();
            if elapsed >= self.listener.body_pause && is_slow && !self.body.is_end_stream() {
                return Err(unread(Problem::RequestTimeout));
            }
            let room = self.budget.reserve(length).await?;
            received.add(frame, room);
        }
        Ok(received)
    }

    /// Discards a bounded part of the body, because most clients read the response only after they have sent everything.
    async fn too_large(mut self) -> Refusal {
        let mut left = MAX_DISCARDED_BYTES;
        let end = Instant::now() + DISCARD_TIMEOUT;
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

// === impl UploadBudget ===

impl UploadBudget<'_> {
    /// Reserves memory, which another client may have to give up first.
    async fn reserve(self, bytes: usize) -> Result<ByteReservation, Refusal> {
        let end = Instant::now() + MEMORY_TIMEOUT;
        let mut is_requested = false;
        loop {
            if let Ok(room) = self.bytes.reserve(bytes) {
                return Ok(room);
            }
            is_requested = is_requested || self.client.tracker.close_slowest_body();
            if !is_requested || Instant::now() >= end {
                return Err(unread(Problem::TooManyClients));
            }
            tokio::time::sleep(MEMORY_TIMEOUT / 50).await;
        }
    }
}

fn unread(problem: Problem) -> Refusal {
    Refusal {
        problem,
        unread: true,
    }
}

// === impl Content ===

impl Content {
    fn append(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        *self = match std::mem::take(self) {
            Self::Nothing => Self::One(bytes),
            Self::One(first) => {
                let mut all = BytesMut::with_capacity(first.len() + bytes.len());
                all.extend_from_slice(&first);
                all.extend_from_slice(&bytes);
                Self::Many(all)
            }
            Self::Many(mut all) => {
                all.extend_from_slice(&bytes);
                Self::Many(all)
            }
        };
    }

    fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::One(bytes) => Some(bytes),
            Self::Many(all) => Some(all.freeze()),
        }
    }
}

// === impl Received ===

impl Received {
    fn add(&mut self, frame: Frame<Bytes>, room: ByteReservation) {
        match &mut self.room {
            Some(taken) => taken.merge(room),
            None => self.room = Some(room),
        }
        match frame.into_data() {
            Ok(bytes) => self.content.append(bytes),
            Err(frame) => self.trailers = frame.into_trailers().ok().or(self.trailers.take()),
        }
    }

    /// The length of the body, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Converts the received body; the memory budget is released when the new body is dropped.
    pub fn into_body(self) -> WasiBody {
        let data = self.content.into_bytes().map(Frame::data);
        let frames = data.into_iter().chain(self.trailers.map(Frame::trailers));
        let frames: Vec<_> = frames.map(Ok::<_, Error>).collect();
        if frames.is_empty() {
            return full(Bytes::new());
        }
        let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
        GuardedBody::new(body, self.room).boxed_unsync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(parts: impl IntoIterator<Item = Frame<Bytes>>) -> Received {
        let budget = ByteBudget::new(1 << 20);
        let mut received = Received::default();
        for part in parts {
            let length = part.data_ref().map_or(0, Bytes::len);
            received.add(part, budget.reserve(length).unwrap());
        }
        received
    }

    #[tokio::test]
    async fn a_body_in_many_small_chunks_is_stored_contiguously() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1000".parse().unwrap());
        let parts = (0..1000).map(|_| Frame::data(Bytes::from_static(b"x")));
        let parts = parts.chain([Frame::trailers(trailers)]);
        let mut body = received(parts).into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap().len(), 1000);
        let last = body.frame().await.unwrap().unwrap();
        assert_eq!(last.into_trailers().unwrap()["x-sum"], "1000");
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_body_in_one_chunk_is_not_copied() {
        let part = Bytes::from(vec![1; 100]);
        let mut body = received([Frame::data(part.clone())]).into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap().as_ptr(), part.as_ptr());
    }
}

//! The body of an upload, which reports its progress.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

/// The bytes that are given to the connection at a time.
const CHUNK: usize = 64 << 10;

/// A body in memory.
pub struct UploadBody {
    rest: Bytes,
    progress: Arc<Progress>,
}

/// When a request last made progress.
pub struct Progress(Mutex<Instant>);

// === impl UploadBody ===

impl UploadBody {
    pub fn new(content: Bytes, progress: Arc<Progress>) -> Self {
        Self {
            rest: content,
            progress,
        }
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // The connection asks for more only when it has sent what it had.
        *self.progress.0.lock() = Instant::now();
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = CHUNK.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

// === impl Progress ===

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Progress {
    /// Returns when there was no progress for this time.
    pub async fn stalled(&self, time: Duration) {
        loop {
            let deadline = *self.0.lock() + time;
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

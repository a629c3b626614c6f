//! Bodies that hold a guard, limit idle time, or require a guest that did not fail.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

/// Holds a value, such as a permit or a counter, until the last byte of the body is read or the body is dropped.
pub struct GuardedBody<G> {
    body: WasiBody,
    guard: Option<G>,
}

/// A body of at most this many bytes gets no timer: a socket takes it at once, and a stream that does not take it is
/// ended soon ([`crate::trigger::http`]).
const SHORT_BODY: u64 = 16 << 10;

/// A guard of a body that may not be read to its end.
pub enum GuardLease<G> {
    /// It is held as long as the body.
    Open(G),
    /// It is released at a deadline, even while the body is not polled.
    Ends(Arc<Mutex<Option<G>>>, AbortHandle),
}

/// Fails when the next frame takes too long.
pub struct IdleTimeoutBody {
    body: WasiBody,
    timeout: Duration,
    /// Set while the reader waits. The time between two reads does not count.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Ends the body of a failed guest with an error. A guest that is gone sends no more, and without a known length the
/// part that it sent looks complete.
pub struct CompleteBody {
    body: WasiBody,
    abort_flag: AbortFlag,
}

/// Whether all bytes of the body have been handed over. A sender that announced the length has often not closed the
/// body yet when the last bytes arrive, and no one reads it again before the client takes them.
pub fn is_complete(body: &WasiBody) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

/// Whether the guest that handles a call failed. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct AbortFlag(Arc<AtomicBool>);

// === impl GuardedBody ===

impl<G> GuardedBody<G> {
    /// Holds `guard` until the body ends.
    pub fn new(body: WasiBody, guard: G) -> Self {
        let guard = (!is_complete(&body)).then_some(guard);
        Self { body, guard }
    }
}

impl<G: Send + 'static> GuardedBody<GuardLease<G>> {
    /// Holds `guard` as long as the body lasts, and a body that is not short until `end` at most: the rest of a body is
    /// not polled while the client does not read.
    pub fn until(body: WasiBody, guard: G, end: Instant) -> Self {
        let is_short = body
            .size_hint()
            .upper()
            .is_some_and(|most| most <= SHORT_BODY);
        let guard = match is_short {
            true => GuardLease::Open(guard),
            false => GuardLease::ends(guard, end),
        };
        Self::new(body, guard)
    }
}

impl<G: Unpin> Body for GuardedBody<G> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_last = match frame {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => is_complete(&self.body),
            Poll::Ready(None | Some(Err(_))) => true,
        };
        if is_last {
            self.guard = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl GuardLease ===

impl<G: Send + 'static> GuardLease<G> {
    fn ends(guard: G, end: Instant) -> Self {
        let kept = Arc::new(Mutex::new(Some(guard)));
        let shared = kept.clone();
        let task = tokio::spawn(async move {
            tokio::time::sleep_until(end.into()).await;
            drop(shared.lock().take());
        });
        Self::Ends(kept, task.abort_handle())
    }
}

impl<G> Drop for GuardLease<G> {
    fn drop(&mut self) {
        if let Self::Ends(kept, task) = self {
            // The guard is released now, and not when the aborted task is polled.
            drop(kept.lock().take());
            task.abort();
        }
    }
}

// === impl IdleTimeoutBody ===

impl IdleTimeoutBody {
    /// The response with a timeout between two frames of its body, if the caller set one.
    pub fn pace(response: Response<WasiBody>, timeout: Option<Duration>) -> Response<WasiBody> {
        match timeout {
            Some(timeout) => response.map(|body| Self::new(body, timeout).boxed_unsync()),
            None => response,
        }
    }

    /// Waits at most `timeout` for each frame.
    pub fn new(body: WasiBody, timeout: Duration) -> Self {
        Self {
            body,
            timeout,
            timer: None,
        }
    }
}

impl Body for IdleTimeoutBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        if frame.is_ready() {
            this.timer = None;
            return frame;
        }
        let new = || Box::pin(tokio::time::sleep(this.timeout));
        let timer = this.timer.get_or_insert_with(new);
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl CompleteBody ===

impl CompleteBody {
    /// Wraps the body that a guest sends.
    pub fn new(body: WasiBody, abort_flag: AbortFlag) -> Self {
        Self { body, abort_flag }
    }
}

impl Body for CompleteBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) if self.abort_flag.is_set() => {
                Poll::Ready(Some(Err(Error::ConnectionTerminated)))
            }
            frame => frame,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.abort_flag.is_set()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl AbortFlag ===

impl AbortFlag {
    /// The guest failed before it finished.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::full;
    use http_body_util::StreamBody;

    fn endless() -> WasiBody {
        StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Error>>()).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_that_stalls_ends_with_a_timeout() {
        let body = IdleTimeoutBody::new(endless(), Duration::from_millis(1));
        assert!(matches!(
            body.collect().await,
            Err(Error::ConnectionReadTimeout)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_slow_reader_does_not_count_as_idle() {
        let (parts, body) = futures::channel::mpsc::unbounded();
        let part = || Ok(Frame::data(Bytes::from_static(b"part")));
        let body: WasiBody = StreamBody::new(body).boxed_unsync();
        let mut body = IdleTimeoutBody::new(body, Duration::from_secs(1));
        parts.unbounded_send(part()).unwrap();
        assert!(body.frame().await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (next, ()) = futures::join!(body.frame(), async {
            tokio::task::yield_now().await;
            parts.unbounded_send(part()).unwrap();
        });
        assert!(next.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_guard_is_released_with_the_last_byte() {
        let guard = Arc::new(());
        let mut body = GuardedBody::new(full("1"), guard.clone());
        assert_eq!(Arc::strong_count(&guard), 2);
        assert!(body.frame().await.is_some());
        assert_eq!(Arc::strong_count(&guard), 1);
    }

    #[tokio::test]
    async fn a_body_of_a_failed_guest_ends_with_an_error() {
        let abort_flag = AbortFlag::default();
        let mut body = CompleteBody::new(full("half"), abort_flag.clone());
        assert!(body.frame().await.is_some_and(|part| part.is_ok()));
        abort_flag.set();
        assert!(!body.is_end_stream());
        assert!(body.frame().await.is_some_and(|part| part.is_err()));
    }

    #[tokio::test]
    async fn a_guard_is_released_at_its_deadline_even_if_the_body_is_not_read() {
        let guard = Arc::new(());
        let end = Instant::now() + Duration::from_millis(20);
        let body = GuardedBody::until(endless(), guard.clone(), end);
        while Arc::strong_count(&guard) > 1 {
            tokio::task::yield_now().await;
        }
        assert!(Instant::now() >= end);
        drop(body);
    }

    #[tokio::test]
    async fn a_guard_with_a_deadline_is_released_with_the_body() {
        let guard = Arc::new(());
        let end = Instant::now() + Duration::from_secs(3600);
        drop(GuardedBody::until(endless(), guard.clone(), end));
        assert_eq!(Arc::strong_count(&guard), 1);
    }
}

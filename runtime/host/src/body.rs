//! Bodies whose progress is observed.
//!
//! [`ObservedBody`] is the one body of the host that stands around another. What it does is in its [`BodyObserver`]: hold a
//! permit, limit the time between two frames, require a guest that did not fail, classify an attempt for the breaker,
//! record a response for the cache.

mod complete;
mod guarded;
mod idle_timeout;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

pub use complete::{AbortFlag, CompleteBody};
pub use guarded::GuardedBody;
pub use idle_timeout::IdleTimeoutBody;

/// Observes the progress of a body. Its own drop is the end of a body that is not read to its end.
pub trait BodyObserver: Send + Unpin + 'static {
    /// The reader requests the next frame.
    fn on_poll(&mut self) {}

    /// A frame arrived; `rest` is the body without it.
    fn on_frame(&mut self, _frame: &Frame<Bytes>, _rest: &WasiBody) {}

    /// No frame is available yet. An observer that registers a timer with the context may end the body with an error.
    fn on_pending(&mut self, _context: &mut Context<'_>) -> Poll<Error> {
        Poll::Pending
    }

    /// The body ended.
    ///
    /// # Errors
    /// The error that the reader gets instead of the end.
    fn on_end(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// The body failed.
    fn on_error(&mut self, _error: &Error) {}

    /// Whether a body that reports its end without another read may be trusted.
    fn may_end(&self) -> bool {
        true
    }
}

/// A body and the observer of its progress.
pub struct ObservedBody<O> {
    body: WasiBody,
    observer: O,
}

/// A complete body.
pub fn full(text: impl Into<Bytes>) -> WasiBody {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Whether all bytes of the body have been handed over. A sender that announced the length has often not closed the body
/// yet when the last bytes arrive, and no one reads it again before the client takes them.
pub fn is_complete(body: &WasiBody) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

// === impl ObservedBody ===

impl<O: BodyObserver> ObservedBody<O> {
    /// Observes the body from now on.
    pub fn observed(body: WasiBody, observer: O) -> Self {
        Self { body, observer }
    }
}

impl<O: BodyObserver> Body for ObservedBody<O> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Self { body, observer } = &mut *self;
        observer.on_poll();
        match Pin::new(&mut *body).poll_frame(context) {
            Poll::Pending => observer.on_pending(context).map(|error| Some(Err(error))),
            Poll::Ready(Some(Ok(frame))) => {
                observer.on_frame(&frame, body);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                observer.on_error(&error);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => Poll::Ready(observer.on_end().err().map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.observer.may_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;

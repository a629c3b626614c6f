//! Ends a body with an error when the next frame takes too long.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{BodyObserver, ObservedBody};

/// A body with a timeout between two frames.
pub type IdleTimeoutBody = ObservedBody<IdleTimeout>;

/// Limits the time that a reader waits for the next frame.
pub struct IdleTimeout {
    timeout: Duration,
    /// Set while the reader waits. The time between two reads does not count.
    timer: Option<Pin<Box<Sleep>>>,
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
        let timer = None;
        Self::observed(body, IdleTimeout { timeout, timer })
    }
}

impl BodyObserver for IdleTimeout {
    fn on_frame(&mut self, _: &Frame<Bytes>, _: &WasiBody) {
        self.timer = None;
    }

    fn on_pending(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        let new = || Box::pin(tokio::time::sleep(self.timeout));
        let timer = self.timer.get_or_insert_with(new);
        let expired = timer.as_mut().poll(context);
        expired.map(|()| Error::ConnectionReadTimeout)
    }

    fn on_end(&mut self) -> Result<(), Error> {
        self.timer = None;
        Ok(())
    }

    fn on_error(&mut self, _: &Error) {
        self.timer = None;
    }
}

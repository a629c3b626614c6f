//! Whether the request of a component has reached anybody.
//!
//! A link may refuse a request before anybody hears of it: its breaker is open, or all places are taken. The component
//! gets that as an answer, and must know what it means: what was never sent needs no undoing. A status cannot tell,
//! because an answer from elsewhere may have the same one, and neither can the last refusal, because an earlier attempt
//! may have been made. So a [`DispatchMarker`] travels with the request and all its copies, and where none of them was
//! handed on, the answer says so: [`NOT_SENT`]. From every other answer that header is taken away, so that a component
//! may believe it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderName, HeaderValue, Request, Response};

/// What an answer of the host carries if the request was handed to nobody.
pub const NOT_SENT: HeaderName = HeaderName::from_static("socar-not-sent");

/// What becomes known of one request and its copies.
#[derive(Clone, Debug, Default)]
pub struct DispatchMarker(Arc<AtomicBool>);

impl DispatchMarker {
    /// Begins to follow a request.
    pub fn attach<B>(request: &mut Request<B>) -> Self {
        let marker = Self::default();
        request.extensions_mut().insert(marker.clone());
        marker
    }

    /// The request is handed to whoever may act on it.
    pub fn mark_dispatched<B>(request: &Request<B>) {
        if let Some(Self(was_dispatched)) = request.extensions().get() {
            was_dispatched.store(true, Ordering::Relaxed);
        }
    }

    /// The answer to the request, which tells whether it was sent. What a fallback answers is as good as an answer.
    pub fn annotate<B>(&self, mut response: Response<B>) -> Response<B> {
        let Self(was_dispatched) = self;
        let is_refusal = response.status().is_server_error();
        let headers = response.headers_mut();
        headers.remove(NOT_SENT);
        if is_refusal && !was_dispatched.load(Ordering::Relaxed) {
            headers.insert(NOT_SENT, HeaderValue::from_static("true"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Response<()> {
        let response = Response::builder().status(status);
        response.header(NOT_SENT, "claimed").body(()).unwrap()
    }

    #[test]
    fn what_reached_nobody_is_said_to_be_not_sent() {
        let marker = DispatchMarker::attach(&mut Request::new(()));
        assert_eq!(marker.annotate(answer(503)).headers()[NOT_SENT], "true");
    }

    #[test]
    fn one_attempt_of_several_is_enough_to_be_sent() {
        let mut request = Request::new(());
        let marker = DispatchMarker::attach(&mut request);
        DispatchMarker::mark_dispatched(&request.clone());
        let annotated = marker.annotate(answer(503));
        assert!(!annotated.headers().contains_key(NOT_SENT));
    }

    #[test]
    fn the_answer_of_a_fallback_is_an_answer() {
        let marker = DispatchMarker::attach(&mut Request::new(()));
        let annotated = marker.annotate(answer(200));
        assert!(!annotated.headers().contains_key(NOT_SENT));
    }
}

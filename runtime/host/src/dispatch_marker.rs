//! Marks whether a request of a component was dispatched.
//!
//! A link can reject a request before any target gets it: its breaker is open, or no permit is free. The component gets
//! the rejection as a response, and must know that the request was not sent, so that there is nothing to undo. The
//! status does not show it: a remote response can have the same one, and an earlier attempt may have been dispatched.
//! So a [`DispatchMarker`] travels with the request and all its copies. If none of them was dispatched, the response
//! has the header [`NOT_SENT`]. The header is removed from every other response, so that a component can trust it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderName, HeaderValue, Request, Response};

/// The header of a response of the host if the request was not dispatched.
pub const NOT_SENT: HeaderName = HeaderName::from_static("socar-not-sent");

/// Whether a request or one of its copies was dispatched.
#[derive(Clone, Debug, Default)]
pub struct DispatchMarker(Arc<AtomicBool>);

impl DispatchMarker {
    /// Attaches a marker to a request.
    pub fn attach<B>(request: &mut Request<B>) -> Self {
        let marker = Self::default();
        request.extensions_mut().insert(marker.clone());
        marker
    }

    /// Marks the request as dispatched.
    pub fn mark_dispatched<B>(request: &Request<B>) {
        if let Some(marker) = request.extensions().get::<Self>() {
            marker.mark();
        }
    }

    /// Marks what travels with the marker as dispatched.
    pub fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether anything that travels with the marker was dispatched.
    pub fn is_dispatched(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets [`NOT_SENT`] on a failed response whose request was not dispatched. The response of a fallback is no
    /// failure.
    pub fn annotate<B>(&self, mut response: Response<B>) -> Response<B> {
        let is_refusal = response.status().is_server_error();
        let headers = response.headers_mut();
        headers.remove(NOT_SENT);
        if is_refusal && !self.is_dispatched() {
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
    fn a_rejected_request_is_reported_as_not_sent() {
        let marker = DispatchMarker::attach(&mut Request::new(()));
        assert_eq!(marker.annotate(answer(503)).headers()[NOT_SENT], "true");
    }

    #[test]
    fn a_request_with_one_dispatched_attempt_counts_as_sent() {
        let mut request = Request::new(());
        let marker = DispatchMarker::attach(&mut request);
        DispatchMarker::mark_dispatched(&request.clone());
        let annotated = marker.annotate(answer(503));
        assert!(!annotated.headers().contains_key(NOT_SENT));
    }

    #[test]
    fn a_fallback_response_is_not_reported_as_not_sent() {
        let marker = DispatchMarker::attach(&mut Request::new(()));
        let annotated = marker.annotate(answer(200));
        assert!(!annotated.headers().contains_key(NOT_SENT));
    }
}

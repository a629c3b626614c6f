//! Requests that may be sent twice, and their copies.
//!
//! A request may be repeated if its method is idempotent (RFC 9110), or if it has an `Idempotency-Key`, by which the
//! target recognizes it. It also needs a copy: its body is empty, or announced as small and read first.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderName, Method, Request};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use wasmtime_wasi_http::WasiBody;

use crate::body::full;

/// The longest body that is kept for another attempt, in bytes.
const LONGEST: u64 = 16 * 1024;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub struct Replay {
    parts: Parts,
    body: Bytes,
}

// === impl Replay ===

impl Replay {
    /// The request to send now, and its copy if it may be repeated.
    pub async fn of(request: Request<WasiBody>) -> (Request<WasiBody>, Option<Self>) {
        if !may_be_repeated(&request) || !is_small(&request) {
            return (request, None);
        }
        let (parts, body) = request.into_parts();
        if body.is_end_stream() {
            let replay = Self {
                parts: parts.clone(),
                body: Bytes::new(),
            };
            return (Request::from_parts(parts, body), Some(replay));
        }
        match body.collect().await {
            Ok(whole) => {
                let replay = Self {
                    parts,
                    body: whole.to_bytes(),
                };
                (replay.request(), Some(replay))
            }
            Err(error) => {
                // The target gets the same broken body.
                let broken = http_body_util::StreamBody::new(futures::stream::once(
                    std::future::ready(Err(error)),
                ));
                (Request::from_parts(parts, broken.boxed_unsync()), None)
            }
        }
    }

    /// Another copy of the request.
    pub fn request(&self) -> Request<WasiBody> {
        Request::from_parts(self.parts.clone(), full(self.body.clone()))
    }
}

fn may_be_repeated(request: &Request<WasiBody>) -> bool {
    let is_idempotent = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    );
    is_idempotent || request.headers().contains_key(IDEMPOTENCY_KEY)
}

fn is_small(request: &Request<WasiBody>) -> bool {
    if request.body().is_end_stream() {
        return true;
    }
    let announced = request.headers().get(CONTENT_LENGTH);
    announced
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .or_else(|| request.body().size_hint().exact())
        .is_some_and(|length: u64| length <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn replay(method: Method, key: Option<&str>, body: &'static str) -> Option<Replay> {
        let mut request = Request::new(full(body));
        *request.method_mut() = method;
        request
            .headers_mut()
            .insert(CONTENT_LENGTH, body.len().into());
        if let Some(key) = key {
            request
                .headers_mut()
                .insert(IDEMPOTENCY_KEY, key.parse().unwrap());
        }
        Replay::of(request).await.1
    }

    #[tokio::test]
    async fn only_a_repeatable_request_is_copied() {
        assert!(replay(Method::GET, None, "").await.is_some());
        assert!(replay(Method::POST, None, "").await.is_none());
        assert!(replay(Method::PATCH, None, "{}").await.is_none());
        assert!(replay(Method::POST, Some("\"1\""), "{}").await.is_some());
    }

    #[tokio::test]
    async fn the_copy_has_the_whole_body() {
        let replay = replay(Method::PUT, None, "{\"carName\":\"x\"}")
            .await
            .unwrap();
        for _ in 0..2 {
            let body = replay.request().into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), "{\"carName\":\"x\"}");
        }
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_not_waited_for() {
        let endless = futures::stream::pending::<Result<hyper::body::Frame<Bytes>, _>>();
        let body = http_body_util::StreamBody::new(endless).boxed_unsync();
        let mut request = Request::new(body);
        *request.method_mut() = Method::PUT;
        assert!(Replay::of(request).await.1.is_none());
    }
}

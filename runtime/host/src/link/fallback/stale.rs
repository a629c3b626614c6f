//! The last good responses of a link, for a bounded time.
//!
//! The cache is bounded in bytes, for one response and for all of them, and in entries. The oldest entries are evicted
//! first. A response is recorded while its body is read; one that breaks off, or is too long, is not stored.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{AGE, CONTENT_LENGTH, WARNING};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::problem::full;

/// The longest body that is stored, in bytes.
const MAX_BODY: usize = 512 * 1024;

/// The most bytes of all bodies together.
const MAX_TOTAL_BYTES: usize = 8 * 1024 * 1024;

/// The most entries.
const MAX_ENTRIES: usize = 512;

/// A response younger than this is not recorded again: under load, that would copy every byte.
const MIN_REFRESH: Duration = Duration::from_secs(1);

/// The last good responses of a link. Clones share the cache.
#[derive(Clone)]
pub(in crate::link) struct StaleCache {
    oldest: Duration,
    entries: Arc<Mutex<CacheEntries>>,
}

#[derive(Default)]
struct CacheEntries {
    answers: HashMap<String, CachedResponse>,
    /// The keys in the order of their first entry, each once.
    order: VecDeque<String>,
    size: usize,
}

struct CachedResponse {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
}

/// A body that is recorded while it is read.
struct RecordedBody {
    body: WasiBody,
    so_far: BytesMut,
    /// The entry to store. Absent once it is stored, or cannot be.
    target: Option<(StaleCache, String, HeaderMap)>,
}

// === impl StaleCache ===

impl StaleCache {
    pub fn new(oldest: Duration) -> Self {
        Self {
            oldest,
            entries: Arc::default(),
        }
    }

    /// Records a good response, and returns it unchanged.
    pub fn record(&self, key: String, response: Response<WasiBody>) -> Response<WasiBody> {
        if self.is_fresh(&key) {
            return response;
        }
        let headers = response.headers().clone();
        response.map(|body| {
            let recorded = RecordedBody {
                body,
                so_far: BytesMut::new(),
                target: Some((self.clone(), key, headers)),
            };
            recorded.boxed_unsync()
        })
    }

    /// The last good response, marked as stale.
    pub fn find(&self, key: &str) -> Option<Response<WasiBody>> {
        let entries = self.entries.lock();
        let cached = entries.answers.get(key)?;
        let age = cached.at.elapsed();
        if age > self.oldest {
            return None;
        }
        let mut response = Response::new(full(cached.body.clone()));
        *response.headers_mut() = cached.headers.clone();
        let headers = response.headers_mut();
        headers.insert(AGE, age.as_secs().into());
        headers.insert(
            WARNING,
            HeaderValue::from_static("110 socar \"Response is Stale\""),
        );
        Some(response)
    }

    fn is_fresh(&self, key: &str) -> bool {
        let entries = self.entries.lock();
        let cached = entries.answers.get(key);
        cached.is_some_and(|cached| cached.at.elapsed() < MIN_REFRESH)
    }

    fn store(&self, key: String, headers: HeaderMap, body: Bytes) {
        let at = Instant::now();
        self.entries
            .lock()
            .put(key, CachedResponse { at, headers, body });
    }
}

// === impl CacheEntries ===

impl CacheEntries {
    fn put(&mut self, key: String, cached: CachedResponse) {
        self.size += cached.body.len();
        match self.answers.insert(key.clone(), cached) {
            Some(before) => self.size -= before.body.len(),
            None => self.order.push_back(key),
        }
        while self.size > MAX_TOTAL_BYTES || self.answers.len() > MAX_ENTRIES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(gone) = self.answers.remove(&oldest) {
                self.size -= gone.body.len();
            }
        }
    }
}

// === impl RecordedBody ===

impl RecordedBody {
    fn is_complete(&self) -> bool {
        let announced = self.target.as_ref().and_then(|(_, _, headers)| {
            let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
            length.parse::<usize>().ok()
        });
        self.body.is_end_stream() || announced == Some(self.so_far.len())
    }

    fn store(&mut self) {
        if let Some((answers, key, headers)) = self.target.take() {
            answers.store(key, headers, self.so_far.split().freeze());
        }
    }
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        match &frame {
            Poll::Pending => {}
            Poll::Ready(None) => this.store(),
            Poll::Ready(Some(Err(_))) => this.target = None,
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&b""[..], |data| data);
                if this.so_far.len() + data.len() > MAX_BODY {
                    this.target = None;
                } else if this.target.is_some() {
                    this.so_far.extend_from_slice(data);
                    // A reader that knows the length does not read the end.
                    if this.is_complete() {
                        this.store();
                    }
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    async fn pass(answers: &StaleCache, key: &str, body: &'static str) {
        let response = answers.record(key.to_owned(), Response::new(full(body)));
        let passed = response.into_body().collect().await.unwrap();
        assert_eq!(passed.to_bytes(), body);
    }

    #[tokio::test]
    async fn the_last_good_response_is_found_and_marked_as_stale() {
        let answers = StaleCache::new(HOUR);
        pass(&answers, "/carviews", "{}").await;
        let found = answers.find("/carviews").expect("an answer");
        assert_eq!(found.headers()[AGE], "0");
        assert!(
            found.headers()[WARNING]
                .to_str()
                .unwrap()
                .starts_with("110 ")
        );
        let body = found.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "{}");
        assert!(answers.find("/carviews?page=1").is_none());
    }

    #[tokio::test]
    async fn a_response_that_is_too_old_is_not_found() {
        let answers = StaleCache::new(Duration::ZERO);
        pass(&answers, "/carviews", "{}").await;
        assert!(answers.find("/carviews").is_none());
    }

    #[tokio::test]
    async fn a_response_that_broke_off_is_not_stored() {
        let answers = StaleCache::new(HOUR);
        let response = answers.record("/".to_owned(), Response::new(full("half")));
        drop(response);
        assert!(answers.find("/").is_none());
    }

    #[tokio::test]
    async fn the_cache_is_bounded_in_entries_and_bytes() {
        let answers = StaleCache::new(HOUR);
        for number in 0..=MAX_ENTRIES {
            answers.store(format!("/{number}"), HeaderMap::new(), Bytes::new());
        }
        assert!(answers.find("/0").is_none());
        assert!(answers.find("/1").is_some());
        let half = Bytes::from(vec![0; MAX_TOTAL_BYTES / 2 + 1]);
        for key in ["/large", "/larger"] {
            answers.store(key.to_owned(), HeaderMap::new(), half.clone());
        }
        assert!(answers.find("/large").is_none());
        assert!(answers.find("/larger").is_some());
    }
}

//! The last good answers of a link, for as long as they are better than none.
//!
//! Bounded in size, not only in number: what one answer may have and what all of them may have together. The oldest
//! give way. An answer is recorded while its body passes by; one that breaks off, or is too long, is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{AGE, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, WARNING};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_conventions::etag::{Evaluation, evaluate};
use hyper::body::{Body as _, Frame};
use parking_lot::Mutex;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::body::full;
use crate::body::{BodyObserver, ObservedBody};
use crate::problem::Problem;

/// The longest body that is kept.
const MAX_BODY: usize = 512 * 1024;

/// All bodies together.
const MAX_TOTAL_BYTES: usize = 8 * 1024 * 1024;

/// All answers together, however short.
const MAX_ENTRIES: usize = 512;

/// An answer younger than this is not recorded again: under load, that would copy every byte.
const MIN_REFRESH: Duration = Duration::from_secs(1);

/// The last good answers. Clones are the same ones.
#[derive(Clone)]
pub struct StaleCache {
    oldest: Duration,
    entries: Arc<Mutex<CacheEntries>>,
}

#[derive(Default)]
struct CacheEntries {
    answers: HashMap<String, CachedResponse>,
    /// In order of their first arrival; each key once.
    order: VecDeque<String>,
    size: usize,
}

struct CachedResponse {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
}

/// The conditions of a request, `If-Match` and `If-None-Match`, line by line.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    if_match: Vec<HeaderValue>,
    if_none_match: Vec<HeaderValue>,
}

/// Records a body while it is read.
struct Record {
    recorded: BytesMut,
    /// The entry to store. Absent once it is stored, or cannot be.
    entry: Option<(StaleCache, String, HeaderMap)>,
}

// === impl StaleCache ===

impl StaleCache {
    pub fn new(oldest: Duration) -> Self {
        Self {
            oldest,
            entries: Arc::default(),
        }
    }

    /// Records a good answer, and passes it on unchanged.
    pub fn record(&self, key: String, response: Response<WasiBody>) -> Response<WasiBody> {
        if self.is_fresh(&key) {
            return response;
        }
        let headers = response.headers().clone();
        response.map(|body| {
            let record = Record {
                recorded: BytesMut::new(),
                entry: Some((self.clone(), key, headers)),
            };
            ObservedBody::observed(body, record).boxed_unsync()
        })
    }

    /// The last good response, marked as stale. Conditions are evaluated as the target would: a client that has the
    /// response already gets 304, and one that expects another gets 412.
    pub fn find(&self, key: &str, conditions: &Conditions) -> Option<Response<WasiBody>> {
        let entries = self.entries.lock();
        let cached = entries.answers.get(key)?;
        let age = cached.at.elapsed();
        if age > self.oldest {
            return None;
        }
        let mut response = match conditions.evaluate(cached.headers.get(ETAG)) {
            Evaluation::Met => cached.response(StatusCode::OK),
            Evaluation::IfNoneMatchFailed => cached.response(StatusCode::NOT_MODIFIED),
            Evaluation::IfMatchFailed => Problem::PreconditionFailed.response(),
        };
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

// === impl CachedResponse ===

impl CachedResponse {
    /// The response with its body, or without it as 304.
    fn response(&self, status: StatusCode) -> Response<WasiBody> {
        let is_whole = status != StatusCode::NOT_MODIFIED;
        let mut response = match is_whole {
            true => Response::new(full(self.body.clone())),
            false => Response::new(full("")),
        };
        *response.status_mut() = status;
        *response.headers_mut() = self.headers.clone();
        if !is_whole {
            response.headers_mut().remove(CONTENT_LENGTH);
            response.headers_mut().remove(CONTENT_TYPE);
        }
        response
    }
}

// === impl Conditions ===

impl Conditions {
    /// The conditions of a request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = |name| headers.get_all(name).iter().cloned().collect();
        Self {
            if_match: lines(IF_MATCH),
            if_none_match: lines(IF_NONE_MATCH),
        }
    }

    /// A response without an entity tag meets every condition, as it does at a component.
    fn evaluate(&self, tag: Option<&HeaderValue>) -> Evaluation {
        let Some(tag) = tag else {
            return Evaluation::Met;
        };
        let [if_match, if_none_match] = [&self.if_match, &self.if_none_match]
            .map(|lines| lines.iter().map(HeaderValue::as_bytes));
        evaluate(if_match, if_none_match, tag.as_bytes())
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

// === impl Record ===

impl Record {
    fn is_complete(&self, rest: &WasiBody) -> bool {
        let announced = self.entry.as_ref().and_then(|(_, _, headers)| {
            let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
            length.parse::<usize>().ok()
        });
        rest.is_end_stream() || announced == Some(self.recorded.len())
    }

    fn store(&mut self) {
        if let Some((cache, key, headers)) = self.entry.take() {
            cache.store(key, headers, self.recorded.split().freeze());
        }
    }
}

impl BodyObserver for Record {
    fn on_frame(&mut self, frame: &Frame<Bytes>, rest: &WasiBody) {
        let data = frame.data_ref().map_or(&b""[..], |data| data);
        if self.recorded.len() + data.len() > MAX_BODY {
            self.entry = None;
        } else if self.entry.is_some() {
            self.recorded.extend_from_slice(data);
            // A reader that knows the length does not read the end.
            if self.is_complete(rest) {
                self.store();
            }
        }
    }

    fn on_end(&mut self) -> Result<(), Error> {
        self.store();
        Ok(())
    }

    fn on_error(&mut self, _: &Error) {
        self.entry = None;
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
    async fn the_last_good_answer_is_found_and_says_that_it_is_stale() {
        let answers = StaleCache::new(HOUR);
        pass(&answers, "/carviews", "{}").await;
        let found = answers
            .find("/carviews", &Conditions::default())
            .expect("an answer");
        assert_eq!(found.headers()[AGE], "0");
        assert!(
            found.headers()[WARNING]
                .to_str()
                .unwrap()
                .starts_with("110 ")
        );
        let body = found.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "{}");
        assert!(
            answers
                .find("/carviews?page=1", &Conditions::default())
                .is_none()
        );
    }

    #[tokio::test]
    async fn conditions_are_evaluated_for_a_stale_answer() {
        let answers = StaleCache::new(HOUR);
        let headers = [(ETAG, "W/\"3\""), (CONTENT_TYPE, "application/json")]
            .map(|(name, value)| (name, HeaderValue::from_static(value)));
        answers.store("/".to_owned(), HeaderMap::from_iter(headers), "{}".into());
        let find = |lines: &[(&'static str, &'static [u8])]| {
            let lines = lines.iter().map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_bytes(value).unwrap())
            });
            let mut headers = HeaderMap::new();
            lines.for_each(|(name, value)| {
                headers.append(name, value);
            });
            answers.find("/", &Conditions::of(&headers)).unwrap()
        };
        let (known, expected) = ("if-none-match", "if-match");
        for (lines, status) in [
            (&[(known, &b"\"3\""[..])][..], 304),
            (&[(known, b"\"\xff\", \"3\"")], 304),
            (&[(known, b"\"1\""), (known, b"W/\"3\"")], 304),
            (&[(known, b"*")], 304),
            (&[(known, b"W/W/\"3\"")], 200),
            (&[(known, b"\"a,\"3\"\"")], 200),
            (&[(expected, b"\"3\""), (known, b"\"1\"")], 200),
            (&[(expected, b"\"777\"")], 412),
            (&[(expected, b"\"777\""), (known, b"\"3\"")], 412),
        ] {
            let response = find(lines);
            assert_eq!(response.status(), status, "{lines:?}");
            assert!(response.headers().contains_key(WARNING));
            let body = response.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes().is_empty(), status == 304);
        }
        let response = find(&[(known, b"\"3\"")]);
        assert_eq!(response.headers()[ETAG], "W/\"3\"");
        assert!(!response.headers().contains_key(CONTENT_TYPE));
    }

    #[tokio::test]
    async fn an_answer_that_is_too_old_is_none() {
        let answers = StaleCache::new(Duration::ZERO);
        pass(&answers, "/carviews", "{}").await;
        assert!(answers.find("/carviews", &Conditions::default()).is_none());
    }

    #[tokio::test]
    async fn an_answer_that_broke_off_is_not_kept() {
        let answers = StaleCache::new(HOUR);
        let response = answers.record("/".to_owned(), Response::new(full("half")));
        drop(response);
        assert!(answers.find("/", &Conditions::default()).is_none());
    }

    #[tokio::test]
    async fn there_is_room_for_so_much_and_no_more() {
        let answers = StaleCache::new(HOUR);
        for number in 0..=MAX_ENTRIES {
            answers.store(format!("/{number}"), HeaderMap::new(), Bytes::new());
        }
        assert!(answers.find("/0", &Conditions::default()).is_none());
        assert!(answers.find("/1", &Conditions::default()).is_some());
        let half = Bytes::from(vec![0; MAX_TOTAL_BYTES / 2 + 1]);
        for key in ["/large", "/larger"] {
            answers.store(key.to_owned(), HeaderMap::new(), half.clone());
        }
        assert!(answers.find("/large", &Conditions::default()).is_none());
        assert!(answers.find("/larger", &Conditions::default()).is_some());
    }
}

//! `Idempotency-Key`, after the IETF draft draft-ietf-httpapi-idempotency-key-header: the first
//! request with a key does the work, later ones are given its answer.
//!
//! The key's record is made before the work, with a *number* that the work is done under, so that
//! whoever comes after a crash knows what to look for. Records are also listed by the hour, so that
//! a sweep drops the expired ones without searching.

use crate::{
    Platform, Store, StoreError, Swap,
    claim::{claim, release},
    http::{Problem, Request, Response},
};
use bytes::Bytes;
use events::Timestamp;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a first request may take before it counts as dead: longer than any call may run.
const DEAD_AFTER: Duration = Duration::from_secs(10);
const HOUR: u64 = 60 * 60 * 1000;
/// The longest key, in characters.
const LONGEST: usize = 255;
/// The headers that belong to an answer.
const HEADERS: [&str; 4] = ["content-type", "etag", "location", "retry-after"];
/// Up to which hour expired records were dropped.
const SWEPT: &str = "idempotency-swept";

/// A request's key and what its body was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    record: String,
    fingerprint: String,
}

/// What is to be done with a request that carries a key.
#[derive(Debug)]
pub enum Turn {
    /// Nobody has done it: do it under this number.
    First(Ticket),
    /// Somebody died doing it under this number: find out what became of it.
    Resume(Ticket),
    /// It was done; this was the answer.
    Replay(Response),
}

/// The right to do the work.
#[derive(Debug)]
pub struct Ticket {
    record: String,
    fingerprint: String,
    /// What the work is done under.
    pub number: u64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    token: String,
    fingerprint: String,
    at: Timestamp,
    number: u64,
    answer: Option<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

// === impl Key ===

impl Key {
    /// The key of a request, if it has one.
    ///
    /// # Errors
    ///
    /// 400 for a key that is empty, too long or not printable.
    pub fn of(request: &Request) -> Result<Option<Self>, Problem> {
        let Some(value) = request.headers().get("idempotency-key") else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default().trim();
        let key = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text);
        if !(1..=LONGEST).contains(&key.len()) {
            let detail = format!("Idempotency-Key must have 1 to {LONGEST} printable characters");
            let title = "The Idempotency-Key header is wrong";
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-idempotency-key",
                title,
                detail,
            ));
        }
        Ok(Some(Self {
            record: format!("idempotency/{key}"),
            fingerprint: fingerprint(request),
        }))
    }

    /// Finds out whose turn it is. `number` is asked for a number if this is the first request.
    ///
    /// # Errors
    ///
    /// 422 for a key that came with another body, 409 while the first request runs, 503 when the
    /// store is silent.
    pub async fn turn<P: Platform>(
        self,
        platform: &P,
        number: impl AsyncFn() -> Result<u64, StoreError>,
    ) -> Result<Turn, Problem> {
        claim(platform, &self.record).await?;
        let token = platform.unique();
        let mut creates = false;
        for _ in 0..16 {
            let (value, swap) = platform.state().begin(&self.record).await?;
            let found = value.as_deref().map(decode).transpose()?;
            if let Some(record) = found.as_ref().filter(|record| record.token == token) {
                // The swap before did happen, whatever the provider said.
                return self.take(platform, record.number, creates).await;
            }
            if let Some(answer) = self.look(platform, found.as_ref())? {
                return Ok(Turn::Replay(answer));
            }
            creates = found.is_none();
            let number = match &found {
                Some(record) => record.number,
                None => number().await?,
            };
            let record = Record {
                token: token.clone(),
                fingerprint: self.fingerprint.clone(),
                at: platform.now(),
                number,
                answer: None,
            };
            if platform.state().swap(swap, &encode(&record)?).await? == Swap::Done {
                return self.take(platform, number, creates).await;
            }
        }
        Err(in_progress())
    }

    async fn take<P: Platform>(
        self,
        platform: &P,
        number: u64,
        is_first: bool,
    ) -> Result<Turn, Problem> {
        let ticket = Ticket {
            record: self.record,
            fingerprint: self.fingerprint,
            number,
        };
        if !is_first {
            return Ok(Turn::Resume(ticket));
        }
        let hour = platform.now().as_millis() / HOUR;
        let place = platform.state().increment(&count_of(hour), 1).await?;
        let slot = slot(hour, place);
        platform
            .state()
            .set(&slot, ticket.record.as_bytes())
            .await?;
        Ok(Turn::First(ticket))
    }

    /// The answer of a record that has one; nothing where the work is free to take.
    fn look<P: Platform>(
        &self,
        platform: &P,
        found: Option<&Record>,
    ) -> Result<Option<Response>, Problem> {
        let Some(record) = found else {
            return Ok(None);
        };
        if record.fingerprint != self.fingerprint {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reuse",
                "The Idempotency-Key was used for another request",
                "use a new key for a new request, or repeat the first one unchanged",
            ));
        }
        match &record.answer {
            Some(answer) => Ok(Some(answer.replay())),
            None if platform.now().since(record.at) < DEAD_AFTER => Err(in_progress()),
            None => Ok(None),
        }
    }
}

// === impl Ticket ===

impl Ticket {
    /// Notes that the work is now done under another number.
    ///
    /// # Errors
    ///
    /// The store's silence.
    pub async fn renumber<P: Platform>(
        &mut self,
        platform: &P,
        number: u64,
    ) -> Result<(), Problem> {
        self.number = number;
        self.write(platform, None).await
    }

    /// Keeps the answer for those who come with the same key. An answer that invites another try
    /// (503) is not kept: the key is then free for that try.
    ///
    /// # Errors
    ///
    /// The store's silence; the next request with the key then finds out what became of the work.
    pub async fn answered<P: Platform>(
        self,
        platform: &P,
        response: &Response,
    ) -> Result<(), Problem> {
        if response.status().is_server_error() {
            platform.state().delete(&self.record).await?;
            // Without its claim the key could not be created as if it were new.
            platform
                .state()
                .increment(&format!("claim/{}", self.record), -1)
                .await?;
            return Ok(());
        }
        self.write(platform, Some(Answer::of(response))).await
    }

    async fn write<P: Platform>(
        &self,
        platform: &P,
        answer: Option<Answer>,
    ) -> Result<(), Problem> {
        let record = Record {
            token: platform.unique(),
            fingerprint: self.fingerprint.clone(),
            at: platform.now(),
            number: self.number,
            answer,
        };
        Ok(platform
            .state()
            .set(&self.record, &encode(&record)?)
            .await?)
    }
}

/// Drops the records that are older than [`KEPT`]; returns how many.
///
/// # Errors
///
/// The store's silence; the next sweep tries again.
pub async fn sweep<P: Platform>(platform: &P) -> Result<u64, StoreError> {
    let now = platform.now().as_millis() / HOUR;
    let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX) / HOUR;
    let state = platform.state();
    let swept: u64 = match state.get(SWEPT).await? {
        Some(hour) => String::from_utf8_lossy(&hour).parse().unwrap_or(now),
        None => {
            state.set(SWEPT, now.to_string().as_bytes()).await?;
            now
        }
    };
    let mut dropped = 0;
    for hour in swept..now.saturating_sub(kept) {
        for place in 1..=state.increment(&count_of(hour), 0).await? {
            let slot = slot(hour, place);
            if let Some(record) = state.get(&slot).await? {
                let record = String::from_utf8_lossy(&record).into_owned();
                state.delete(&record).await?;
                release(platform, &record).await?;
                state.delete(&slot).await?;
                dropped += 1;
            }
        }
        state.delete(&count_of(hour)).await?;
        state.set(SWEPT, (hour + 1).to_string().as_bytes()).await?;
    }
    Ok(dropped)
}

// === impl Answer ===

impl Answer {
    fn of(response: &Response) -> Self {
        let header = |name: &&str| {
            let value = response.headers().get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        };
        Self {
            status: response.status().as_u16(),
            headers: HEADERS.iter().filter_map(header).collect(),
            body: String::from_utf8_lossy(response.body()).into_owned(),
        }
    }

    fn replay(&self) -> Response {
        let mut response = Response::new(Bytes::from(self.body.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn in_progress() -> Problem {
    Problem::conflict(
        "idempotency-in-progress",
        "The first request with this Idempotency-Key is still running",
        "repeat the request after a moment to be given its answer",
    )
    .retry_after(1)
}

/// What makes two requests the same: method, path and body; JSON that means the same is the same.
fn fingerprint(request: &Request) -> String {
    let body = match serde_json::from_slice::<serde_json::Value>(request.body()) {
        Ok(mut json) => {
            json.sort_all_objects();
            json.to_string()
        }
        Err(_) => String::from_utf8_lossy(request.body()).into_owned(),
    };
    format!("{} {} {body}", request.method(), request.uri().path())
}

fn count_of(hour: u64) -> String {
    format!("idempotency-count/{hour}")
}

fn slot(hour: u64, place: i64) -> String {
    format!("idempotency-slot/{hour}/{place}")
}

fn encode(record: &Record) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|error| StoreError(error.to_string()))
}

fn decode(value: &[u8]) -> Result<Record, StoreError> {
    serde_json::from_slice(value).map_err(|error| StoreError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryPlatform;
    use futures::executor::block_on;

    fn key(name: &str, body: &'static str) -> Key {
        let mut request = Request::new(Bytes::from_static(body.as_bytes()));
        let name = name.parse().unwrap();
        request.headers_mut().insert("idempotency-key", name);
        Key::of(&request).unwrap().unwrap()
    }

    fn turn(platform: &MemoryPlatform, key: Key) -> Result<Turn, Problem> {
        let number = async || Ok(platform.drawn());
        block_on(key.turn(platform, number))
    }

    fn first(platform: &MemoryPlatform, key: Key) -> Ticket {
        match turn(platform, key) {
            Ok(Turn::First(ticket)) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn answer(status: u16) -> Response {
        let mut response = Response::new(Bytes::from_static(b"{}"));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
            .headers_mut()
            .insert("location", HeaderValue::from_static("/1"));
        response
    }

    #[test]
    fn the_same_key_and_body_are_given_the_first_answer() {
        let platform = MemoryPlatform::new();
        let ticket = first(&platform, key("\"k\"", r#"{"carId": 1}"#));
        block_on(ticket.answered(&platform, &answer(201))).unwrap();
        let Ok(Turn::Replay(replayed)) = turn(&platform, key("k", r#"{"carId":1}"#)) else {
            panic!("not replayed");
        };
        assert_eq!(
            (replayed.status().as_u16(), &replayed.headers()["location"]),
            (201, &HeaderValue::from_static("/1"))
        );
    }

    #[test]
    fn another_body_under_the_same_key_is_refused() {
        let platform = MemoryPlatform::new();
        first(&platform, key("k", "{}"));
        assert_eq!(turn(&platform, key("k", "[]")).unwrap_err().status, 422);
    }

    #[test]
    fn while_the_first_request_runs_the_second_has_to_wait() {
        let platform = MemoryPlatform::new();
        let ticket = first(&platform, key("k", "{}"));
        assert_eq!(turn(&platform, key("k", "{}")).unwrap_err().status, 409);
        platform.advance(DEAD_AFTER);
        let Ok(Turn::Resume(resumed)) = turn(&platform, key("k", "{}")) else {
            panic!("not resumed");
        };
        assert_eq!(resumed.number, ticket.number);
    }

    #[test]
    fn an_answer_that_invites_another_try_is_not_kept() {
        let platform = MemoryPlatform::new();
        let ticket = first(&platform, key("k", "{}"));
        block_on(ticket.answered(&platform, &answer(503))).unwrap();
        first(&platform, key("k", "{}"));
    }

    #[test]
    fn a_provider_that_denies_every_swap_is_not_believed() {
        let platform = MemoryPlatform::new();
        platform.state.denies_swaps.set(true);
        first(&platform, key("k", "{}"));
        assert_eq!(turn(&platform, key("k", "{}")).unwrap_err().status, 409);
    }

    #[test]
    fn expired_answers_are_dropped() {
        let platform = MemoryPlatform::new();
        block_on(sweep(&platform)).unwrap();
        let ticket = first(&platform, key("k", "{}"));
        block_on(ticket.answered(&platform, &answer(201))).unwrap();
        assert_eq!(block_on(sweep(&platform)), Ok(0));
        platform.advance(KEPT + Duration::from_secs(2 * 60 * 60));
        assert_eq!(block_on(sweep(&platform)), Ok(1));
        first(&platform, key("k", "{}"));
    }
}

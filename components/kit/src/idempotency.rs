//! `Idempotency-Key`, after the IETF draft draft-ietf-httpapi-idempotency-key-header: the first
//! request with a key does the work, later ones are given its answer.
//!
//! The key's record is made before the work, with a *number* that the work is done under, so that
//! whoever comes after a crash knows what to look for. Records are also listed by the hour, so that
//! a sweep drops the expired ones without searching.

use crate::{
    Platform, Store, StoreError, SwapOutcome,
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
/// How long a number is good for that nothing was made under. A sweep takes over what is noted of it in
/// the outbox store as soon as that is older than any call may run; whoever begins now must have noted
/// it anew before, and a call may run for five seconds.
const FRESH: Duration = Duration::from_secs(5);
const HOUR: u64 = 60 * 60 * 1000;
/// The longest key, in characters.
const LONGEST: usize = 255;
/// What would be right instead of another request with the same key.
const REUSE: &str = "use a new key for a new request, or repeat the first one unchanged";
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
    /// Somebody died doing it under this number, or could not say how it ended: find out what became
    /// of it.
    Resume(Ticket),
    /// It was done; this was the answer.
    Replay(Response),
}

/// The right to do the work, until somebody else takes it over.
#[derive(Debug)]
pub struct Ticket {
    record: String,
    fingerprint: String,
    token: String,
    numbered: Timestamp,
    /// What the work is done under.
    pub number: u64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    /// Who does the work.
    token: String,
    fingerprint: String,
    /// Since when he does; long ago, if he gave up.
    at: Timestamp,
    number: u64,
    /// When the number was drawn, or before.
    #[serde(default)]
    numbered: Timestamp,
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
        let token = platform.unique_id();
        let mut creates = false;
        for _ in 0..16 {
            let (value, cas) = platform.state().get_for_swap(&self.record).await?;
            let found = value.as_deref().map(decode).transpose()?;
            if let Some(record) = found.as_ref().filter(|record| record.token == token) {
                // The swap before did happen, whatever the provider said.
                return self.take(platform, record, creates).await;
            }
            if let Some(answer) = self.look(platform, found.as_ref())? {
                return Ok(Turn::Replay(answer));
            }
            creates = found.is_none();
            let at = platform.now();
            let (number, numbered) = match &found {
                Some(record) => (record.number, record.numbered),
                None => (number().await?, at),
            };
            let record = Record {
                token: token.clone(),
                fingerprint: self.fingerprint.clone(),
                at,
                number,
                numbered,
                answer: None,
            };
            if platform
                .state()
                .compare_and_swap(cas, &encode(&record)?)
                .await?
                == SwapOutcome::Written
            {
                return self.take(platform, &record, creates).await;
            }
        }
        Err(in_progress())
    }

    async fn take<P: Platform>(
        self,
        platform: &P,
        record: &Record,
        is_first: bool,
    ) -> Result<Turn, Problem> {
        let ticket = Ticket {
            record: self.record,
            fingerprint: self.fingerprint,
            token: record.token.clone(),
            numbered: record.numbered,
            number: record.number,
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
                REUSE,
            )
            .field("Idempotency-Key", REUSE));
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
    /// Whether work may still begin under the number, if none was begun.
    pub fn is_fresh<P: Platform>(&self, platform: &P) -> bool {
        platform.now().since(self.numbered) < FRESH
    }

    /// Notes that the work is now done under another number, which was drawn just now.
    ///
    /// # Errors
    ///
    /// 409 when somebody else has taken the work over; 503 when the store is silent.
    pub async fn renumber<P: Platform>(
        &mut self,
        platform: &P,
        number: u64,
    ) -> Result<(), Problem> {
        self.number = number;
        self.numbered = platform.now();
        match self.write(platform, platform.now(), None).await? {
            true => Ok(()),
            false => Err(in_progress()),
        }
    }

    /// Keeps the answer for those who come with the same key. An answer that invites another try
    /// (5xx) is not kept: that try is to find out what became of this one.
    ///
    /// # Errors
    ///
    /// The store's silence; the next request with the key then finds out what became of the work.
    pub async fn answered<P: Platform>(
        self,
        platform: &P,
        response: &Response,
    ) -> Result<(), Problem> {
        let (at, answer) = match response.status().is_server_error() {
            true => (Timestamp::default(), None),
            false => (platform.now(), Some(Answer::of(response))),
        };
        // Whoever took the work over answers for it.
        self.write(platform, at, answer).await.map(drop)
    }

    /// Writes the record, if it is still ours; false if it is not.
    async fn write<P: Platform>(
        &self,
        platform: &P,
        at: Timestamp,
        answer: Option<Answer>,
    ) -> Result<bool, Problem> {
        let ours = encode(&Record {
            token: self.token.clone(),
            fingerprint: self.fingerprint.clone(),
            at,
            number: self.number,
            numbered: self.numbered,
            answer,
        })?;
        for _ in 0..16 {
            let (value, cas) = platform.state().get_for_swap(&self.record).await?;
            if value.as_ref() == Some(&ours) {
                // The swap before did happen, whatever the provider said.
                return Ok(true);
            }
            let found = value.as_deref().map(decode).transpose()?;
            if found.is_none_or(|record| record.token != self.token) {
                return Ok(false);
            }
            if platform.state().compare_and_swap(cas, &ours).await? == SwapOutcome::Written {
                return Ok(true);
            }
        }
        Err(in_progress())
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
mod tests;

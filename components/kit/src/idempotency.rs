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
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a first request may take before it counts as dead: longer than any call may run.
const LEASE_DURATION: Duration = Duration::from_secs(10);
/// How long a number is good for that nothing was made under. A sweep takes over what is noted of it in
/// the outbox store as soon as that is older than any call may run; whoever begins now must have noted
/// it anew before, and a call may run for five seconds.
const NUMBER_LIFETIME: Duration = Duration::from_secs(5);
const HOUR: u64 = 60 * 60 * 1000;
/// The longest key, in characters.
const MAX_KEY_LENGTH: usize = 255;
/// What would be right instead of another request with the same key.
const REUSE: &str = "use a new key for a new request, or repeat the first one unchanged";
/// The headers that belong to an answer.
const STORED_HEADERS: [&str; 4] = ["content-type", "etag", "location", "retry-after"];
/// Up to which hour expired records were dropped.
const SWEPT_UNTIL: &str = "idempotency-swept";

/// A request's key and what its body was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    record: String,
    fingerprint: String,
}

/// What is to be done with a request that carries a key.
#[derive(Debug)]
pub enum Acquisition {
    /// Nobody has done it: do it under this number.
    First(Lease),
    /// Somebody died doing it under this number, or could not say how it ended: find out what became
    /// of it.
    Resume(Lease),
    /// It was done; this was the answer.
    Replay(Response),
}

/// The right to do the work, until somebody else takes it over.
#[derive(Debug)]
pub struct Lease {
    record: String,
    fingerprint: String,
    token: String,
    numbered: Timestamp,
    /// What the work is done under.
    pub number: u64,
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    /// Who does the work.
    token: String,
    fingerprint: String,
    /// Since when he does; long ago, if he gave up.
    at: Timestamp,
    number: u64,
    /// When the number was drawn, or before.
    #[serde(default)]
    numbered: Timestamp,
    #[serde(rename = "answer")]
    response: Option<StoredResponse>,
}

#[derive(Serialize, Deserialize)]
struct StoredResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

// === impl IdempotencyKey ===

impl IdempotencyKey {
    /// The key of a request, if it has one.
    ///
    /// # Errors
    ///
    /// 400 for a key that is empty, too long or not printable.
    pub fn from_request(request: &Request) -> Result<Option<Self>, Problem> {
        let Some(value) = request.headers().get("idempotency-key") else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default().trim();
        let key = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text);
        if !(1..=MAX_KEY_LENGTH).contains(&key.len()) {
            let detail =
                format!("Idempotency-Key must have 1 to {MAX_KEY_LENGTH} printable characters");
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
    pub async fn acquire<P: Platform>(
        self,
        platform: &P,
        number: impl AsyncFn() -> Result<u64, StoreError>,
    ) -> Result<Acquisition, Problem> {
        claim(platform, &self.record).await?;
        let token = platform.unique_id();
        let mut creates = false;
        for _ in 0..16 {
            let (value, cas) = platform.state().get_for_swap(&self.record).await?;
            let found = value.as_deref().map(decode).transpose()?;
            if let Some(record) = found.as_ref().filter(|record| record.token == token) {
                // The swap before did happen, whatever the provider said.
                return self.lease(platform, record, creates).await;
            }
            if let Some(response) = self.stored_response(platform, found.as_ref())? {
                return Ok(Acquisition::Replay(response));
            }
            creates = found.is_none();
            let at = platform.now();
            let (number, numbered) = match &found {
                Some(record) => (record.number, record.numbered),
                None => (number().await?, at),
            };
            let record = KeyRecord {
                token: token.clone(),
                fingerprint: self.fingerprint.clone(),
                at,
                number,
                numbered,
                response: None,
            };
            if platform
                .state()
                .compare_and_swap(cas, &encode(&record)?)
                .await?
                == SwapOutcome::Written
            {
                return self.lease(platform, &record, creates).await;
            }
        }
        Err(in_progress())
    }

    async fn lease<P: Platform>(
        self,
        platform: &P,
        record: &KeyRecord,
        is_first: bool,
    ) -> Result<Acquisition, Problem> {
        let lease = Lease {
            record: self.record,
            fingerprint: self.fingerprint,
            token: record.token.clone(),
            numbered: record.numbered,
            number: record.number,
        };
        if !is_first {
            return Ok(Acquisition::Resume(lease));
        }
        let hour = platform.now().as_millis() / HOUR;
        let index = platform.state().increment(&count_of(hour), 1).await?;
        let slot = slot(hour, index);
        platform.state().set(&slot, lease.record.as_bytes()).await?;
        Ok(Acquisition::First(lease))
    }

    /// The answer of a record that has one; nothing where the work is free to take.
    fn stored_response<P: Platform>(
        &self,
        platform: &P,
        found: Option<&KeyRecord>,
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
        match &record.response {
            Some(response) => Ok(Some(response.replay())),
            None if platform.now().since(record.at) < LEASE_DURATION => Err(in_progress()),
            None => Ok(None),
        }
    }
}

// === impl Lease ===

impl Lease {
    /// Whether work may still begin under the number, if none was begun.
    pub fn is_fresh<P: Platform>(&self, platform: &P) -> bool {
        platform.now().since(self.numbered) < NUMBER_LIFETIME
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
    pub async fn complete<P: Platform>(
        self,
        platform: &P,
        response: &Response,
    ) -> Result<(), Problem> {
        let (at, stored) = match response.status().is_server_error() {
            true => (Timestamp::default(), None),
            false => (platform.now(), Some(StoredResponse::of(response))),
        };
        // Whoever took the work over answers for it.
        self.write(platform, at, stored).await.map(drop)
    }

    /// Writes the record, if it is still ours; false if it is not.
    async fn write<P: Platform>(
        &self,
        platform: &P,
        at: Timestamp,
        response: Option<StoredResponse>,
    ) -> Result<bool, Problem> {
        let ours = encode(&KeyRecord {
            token: self.token.clone(),
            fingerprint: self.fingerprint.clone(),
            at,
            number: self.number,
            numbered: self.numbered,
            response,
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

/// Drops the records that are older than [`RETENTION`]; returns how many.
///
/// # Errors
///
/// The store's silence; the next sweep tries again.
pub async fn sweep<P: Platform>(platform: &P) -> Result<u64, StoreError> {
    let now = platform.now().as_millis() / HOUR;
    let kept = u64::try_from(RETENTION.as_millis()).unwrap_or(u64::MAX) / HOUR;
    let state = platform.state();
    let swept: u64 = match state.get(SWEPT_UNTIL).await? {
        Some(hour) => String::from_utf8_lossy(&hour).parse().unwrap_or(now),
        None => {
            state.set(SWEPT_UNTIL, now.to_string().as_bytes()).await?;
            now
        }
    };
    let mut dropped = 0;
    for hour in swept..now.saturating_sub(kept) {
        for index in 1..=state.increment(&count_of(hour), 0).await? {
            let slot = slot(hour, index);
            if let Some(record) = state.get(&slot).await? {
                let record = String::from_utf8_lossy(&record).into_owned();
                state.delete(&record).await?;
                release(platform, &record).await?;
                state.delete(&slot).await?;
                dropped += 1;
            }
        }
        state.delete(&count_of(hour)).await?;
        state
            .set(SWEPT_UNTIL, (hour + 1).to_string().as_bytes())
            .await?;
    }
    Ok(dropped)
}

// === impl StoredResponse ===

impl StoredResponse {
    fn of(response: &Response) -> Self {
        let header = |name: &&str| {
            let value = response.headers().get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        };
        Self {
            status: response.status().as_u16(),
            headers: STORED_HEADERS.iter().filter_map(header).collect(),
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

fn slot(hour: u64, index: i64) -> String {
    format!("idempotency-slot/{hour}/{index}")
}

fn encode(record: &KeyRecord) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|error| StoreError(error.to_string()))
}

fn decode(value: &[u8]) -> Result<KeyRecord, StoreError> {
    serde_json::from_slice(value).map_err(|error| StoreError(error.to_string()))
}

#[cfg(test)]
mod tests;

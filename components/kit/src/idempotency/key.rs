//! The key of a request, and the decision between doing the work, resuming it and replaying its response.

use super::{
    expiry,
    lease::{self, Lease},
    record::{KeyRecord, StoredResponse},
};
use crate::{
    claim::claim,
    http::{Problem, Request, Response},
    platform::Platform,
    principal::Principal,
    sighted_age::SightedAge,
    store::{Store, StoreError, SwapOutcome},
};
use events::CustomerId;
use http::StatusCode;
use sha2::{Digest as _, Sha256};

/// Maximum length of a key, in characters.
const MAX_KEY_LENGTH: usize = 255;
/// Number of swaps that are attempted before the request is treated as a concurrent one.
const MAX_ATTEMPTS: u32 = 16;
/// The remedy for a key that was used for another request.
const REUSE: &str = "use a new key for a new request, or repeat the first one unchanged";

/// The key of a request, and the fingerprint of that request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Key of the record in the store.
    record_key: String,
    fingerprint: Fingerprint,
}

/// The way in which a request with a key is to be answered.
#[derive(Debug)]
pub enum Acquisition {
    /// No request has done the work: do it under the number of the lease.
    First(Lease),
    /// An earlier request crashed or ended with an unknown outcome: find the outcome of the work under
    /// the number of the lease.
    Resume(Lease),
    /// The work is done: send the stored response.
    Replay(Response),
}

impl IdempotencyKey {
    /// The key of a request; `None` without the header.
    ///
    /// # Errors
    ///
    /// 400 for a key that is empty, longer than 255 characters or not printable, and for several keys, in lines of their
    /// own or in one.
    pub fn from_request(request: &Request) -> Result<Option<Self>, Problem> {
        let mut lines = request.headers().get_all("idempotency-key").iter();
        let Some(value) = lines.next() else {
            return Ok(None);
        };
        let is_only = lines.next().is_none();
        let text = value.to_str().unwrap_or_default().trim();
        let key = key_of(text).filter(|key| (1..=MAX_KEY_LENGTH).contains(&key.len()));
        let Some(key) = key.filter(|_| is_only) else {
            let detail = format!(
                "Idempotency-Key must occur once and be one quoted string of 1 to {MAX_KEY_LENGTH} printable characters"
            );
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-idempotency-key",
                "The Idempotency-Key header is wrong",
                detail,
            ));
        };
        Ok(Some(Self {
            record_key: match Principal::from_headers(request.headers()) {
                // Each customer has keys of their own. The length says where the subject ends.
                Principal::Customer(CustomerId(subject)) => {
                    format!("customer-idempotency/{}/{subject}/{key}", subject.len())
                }
                _ => format!("idempotency/{key}"),
            },
            fingerprint: Fingerprint::of(request),
        }))
    }

    /// Whether an earlier request with the key has done the work, or has begun it.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn is_known<P: Platform>(&self, platform: &P) -> Result<bool, StoreError> {
        platform.state().exists(&self.record_key).await
    }

    /// Acquires the lease of the key, or the stored response. `allocate` returns the number for the work
    /// of a first request.
    ///
    /// # Errors
    ///
    /// 422 for a key that was used with another method, path or body; 409 while the first request is in
    /// progress; 503 if the store fails.
    pub async fn acquire<P: Platform>(
        self,
        platform: &P,
        allocate: impl AsyncFn() -> Result<u64, StoreError>,
    ) -> Result<Acquisition, Problem> {
        claim(platform, &self.record_key).await?;
        let token = platform.unique_id();
        let mut is_new = false;
        for _ in 0..MAX_ATTEMPTS {
            let (value, cas) = platform.state().get_for_swap(&self.record_key).await?;
            let found = value.as_deref().map(KeyRecord::decode).transpose()?;
            if let Some(record) = found.as_ref().filter(|record| record.token == token) {
                // The previous swap took place, although the provider did not confirm it.
                return Self::leased(platform, self.record_key, record, is_new).await;
            }
            if let Some(response) = self.stored_response(found.as_ref())? {
                return Ok(Acquisition::Replay(response));
            }
            if let Some(seen) = found
                .as_ref()
                .and_then(|found| lease::look(platform, found))
            {
                let value = seen.encode()?;
                // If this look is lost, the lease becomes old somewhat later.
                let _ = platform.state().compare_and_swap(cas, &value).await;
                return Err(lease::in_progress());
            }
            is_new = found.is_none();
            let at = platform.now();
            let (number, numbered, list) = match &found {
                Some(record) => (record.number, record.numbered, record.list),
                None => (allocate().await?, at, Some(expiry::list(platform).await?)),
            };
            let record = KeyRecord {
                token: token.clone(),
                fingerprint: self.fingerprint.digest.clone(),
                at,
                number,
                numbered,
                list,
                response: None,
                seen: SightedAge::default(),
            };
            let value = record.encode()?;
            let swap = platform.state().compare_and_swap(cas, &value);
            if swap.await? == SwapOutcome::Written {
                return Self::leased(platform, self.record_key, &record, is_new).await;
            }
        }
        Err(lease::in_progress())
    }

    /// The lease of a record that this request has written.
    async fn leased<P: Platform>(
        platform: &P,
        record_key: String,
        record: &KeyRecord,
        is_new: bool,
    ) -> Result<Acquisition, Problem> {
        let lease = Lease::new(record_key, record);
        if !is_new {
            return Ok(Acquisition::Resume(lease));
        }
        expiry::enter(platform, record.list, lease.record_key()).await?;
        Ok(Acquisition::First(lease))
    }

    /// The stored response of a record; `None` if it has none.
    fn stored_response(&self, found: Option<&KeyRecord>) -> Result<Option<Response>, Problem> {
        let Some(record) = found else {
            return Ok(None);
        };
        if !self.fingerprint.is_of(record) {
            return Err(reused());
        }
        Ok(record.response.as_ref().map(StoredResponse::replay))
    }
}

/// The key in the value of the header: one String of RFC 9651, or the same without quotes, as some clients send it. A list
/// is no key: a proxy may make one of two lines. Escapes are kept, because each text has one spelling with them.
fn key_of(text: &str) -> Option<&str> {
    if text.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return None;
    }
    let Some(quoted) = text.strip_prefix('"') else {
        return (!text.contains(['"', ','])).then_some(text);
    };
    let key = quoted.strip_suffix('"')?;
    let mut characters = key.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' if !matches!(characters.next(), Some('"' | '\\')) => return None,
            _ => {}
        }
    }
    Some(key)
}

fn reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reuse",
        "The Idempotency-Key was used for another request",
        REUSE,
    )
    .field("Idempotency-Key", REUSE)
}

/// What distinguishes a request from another one with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    /// SHA-256 of method, path and body, in hexadecimal digits.
    digest: String,
    /// The plain text of the same, which the records of earlier releases hold.
    text: String,
}

impl Fingerprint {
    /// JSON bodies that differ only in the order of members or in white space have the same fingerprint.
    fn of(request: &Request) -> Self {
        let body = match serde_json::from_slice::<serde_json::Value>(request.body()) {
            Ok(mut json) => {
                json.sort_all_objects();
                json.to_string()
            }
            Err(_) => String::from_utf8_lossy(request.body()).into_owned(),
        };
        let text = format!("{} {} {body}", request.method(), request.uri().path());
        let digest = Sha256::digest(&text);
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { digest, text }
    }

    fn is_of(&self, record: &KeyRecord) -> bool {
        record.fingerprint == self.digest || record.fingerprint == self.text
    }
}

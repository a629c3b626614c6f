//! The lease of a key: the right to do the work, until another request takes it over.

use super::record::{KeyRecord, StoredResponse};
use crate::{
    claim,
    http::{Problem, Response},
    platform::Platform,
    sighted_age::SightedAge,
    store::{Store, SwapOutcome},
};
use events::Timestamp;
use std::time::Duration;

/// For how long other requests must have seen a lease before one of them takes it over: longer than any call may run, and
/// longer than one look can add.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(9);
/// Number of swaps that are attempted before the lease is treated as taken over.
const MAX_ATTEMPTS: u32 = 16;

/// The right to do the work of a key, until another request takes it over.
#[derive(Debug)]
pub struct Lease {
    record_key: String,
    fingerprint: String,
    token: String,
    numbered: Timestamp,
    list: Option<u64>,
    /// The number under which the work is done.
    pub number: u64,
}

impl Lease {
    pub(super) fn new(record_key: String, record: &KeyRecord) -> Self {
        Self {
            record_key,
            fingerprint: record.fingerprint.clone(),
            token: record.token.clone(),
            numbered: record.numbered,
            list: record.list,
            number: record.number,
        }
    }

    pub(super) fn record_key(&self) -> &str {
        &self.record_key
    }

    /// Records that the work is done under another number, which was allocated just before.
    ///
    /// # Errors
    ///
    /// 409 if another request has taken the lease over; 503 if the store fails.
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

    /// Stores the response for later requests with the same key, unless another request has taken the
    /// lease over. A server error (5xx) is not stored: it releases the lease, so that the next request
    /// finds the outcome of the work.
    ///
    /// # Errors
    ///
    /// 503 if the store fails; the next request with the key then finds the outcome of the work.
    pub async fn complete<P: Platform>(
        self,
        platform: &P,
        response: &Response,
    ) -> Result<(), Problem> {
        let (at, stored) = match response.status().is_server_error() {
            true => (Timestamp::default(), None),
            false => (platform.now(), Some(StoredResponse::from(response))),
        };
        self.write(platform, at, stored).await.map(drop)
    }

    /// Deletes the record, unless another request has taken the lease over: the next request with the key is a first one.
    /// Only for work of which nothing is left and that no earlier attempt can still do.
    ///
    /// # Errors
    ///
    /// 503 if the store fails; the next request with the key then resumes the work.
    pub async fn abandon<P: Platform>(self, platform: &P) -> Result<(), Problem> {
        let state = platform.state();
        let found = state.get(&self.record_key).await?;
        let found = found.as_deref().map(KeyRecord::decode).transpose()?;
        if found.is_some_and(|found| found.token == self.token) {
            state.delete(&self.record_key).await?;
            // The claim comes last, as an absent record without one has no exclusive creator.
            claim::release(platform, &self.record_key).await?;
        }
        Ok(())
    }

    /// Writes the record, and returns whether this request still holds the lease.
    async fn write<P: Platform>(
        &self,
        platform: &P,
        at: Timestamp,
        response: Option<StoredResponse>,
    ) -> Result<bool, Problem> {
        let record = KeyRecord {
            token: self.token.clone(),
            fingerprint: self.fingerprint.clone(),
            at,
            number: self.number,
            numbered: self.numbered,
            list: self.list,
            response,
            seen: SightedAge::default(),
        };
        let record = record.encode()?;
        for _ in 0..MAX_ATTEMPTS {
            let (value, cas) = platform.state().get_for_swap(&self.record_key).await?;
            if value.as_ref() == Some(&record) {
                // The previous swap took place, although the provider did not confirm it.
                return Ok(true);
            }
            let found = value.as_deref().map(KeyRecord::decode).transpose()?;
            if found.is_none_or(|found| found.token != self.token) {
                return Ok(false);
            }
            let swap = platform.state().compare_and_swap(cas, &record);
            if swap.await? == SwapOutcome::Written {
                return Ok(true);
            }
        }
        Err(in_progress())
    }
}

/// Looks at the lease of a record without a response: returns the record with this look, or `None` if the lease is free or
/// so old that the request that holds it must have ended.
pub(super) fn look<P: Platform>(platform: &P, record: &KeyRecord) -> Option<KeyRecord> {
    let mut record = record.clone();
    let is_released = record.at == Timestamp::default();
    let age = record.seen.observe(&platform.host(), platform.now());
    (!is_released && age < LEASE_DURATION).then_some(record)
}

/// 409: another request holds the lease.
pub(super) fn in_progress() -> Problem {
    Problem::conflict(
        "idempotency-in-progress",
        "The first request with this Idempotency-Key is still running",
        "repeat the request after a moment to be given its answer",
    )
    .retry_after(1)
}

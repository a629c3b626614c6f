//! The live reservations of each customer, whose number is bounded.
//!
//! A reservation is live until it is rejected or cancelled. A customer has one value with the reservations that may be
//! live, and a reservation enters it by a compare-and-swap before it is stored, so that simultaneous requests do not
//! exceed the limit.
//!
//! No reservation leaves the value when it ends. When the value is full, its reservations are read, and those that are
//! not live any more make room. A reservation therefore costs one swap, its end costs nothing, and no crash, lost event or
//! sweep keeps a place for ever: the state of the reservation alone decides. The index of a customer's reservations
//! ([`crate::repository`]) does not do, as it keeps every reservation and counts without a swap.
//!
//! An entry has the token of its saga. A reservation that is not stored yet is live while the note of this saga is there,
//! which the sweep deletes when no request can store the reservation any more.
//!
//! The company, the platform and an open platform have no limit, and no such value.

use crate::{
    domain::{Refusal, SagaToken, Stage},
    repository::ReservationRepository,
    saga_log::{SagaLog, SagaNote},
};
use events::{CustomerId, ReservationId};
use kit::{
    ChangeError, Platform, Store, StoreError, SwapOutcome,
    claim::{self, claim_absent},
    report,
};
use std::time::Duration;

/// The variable with the most live reservations of a customer.
const LIMIT: &str = "reservation_limit";
/// The most live reservations of a customer, unless the variable says another number.
pub(crate) const DEFAULT_LIMIT: usize = 100;
/// The greatest limit: each reservation writes the value, and a full one is read entry by entry.
const MAX_LIMIT: usize = 1000;
/// Number of swaps that are attempted to enter one reservation.
const MAX_ATTEMPTS: u32 = 64;
/// How often a customer without a place is looked at again while a cancellation of the customer is under way, and the time
/// between two looks: together at most 500 ms.
const POLLS: u32 = 20;
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// The live reservations of one customer.
pub struct LiveReservations<'a, P> {
    platform: &'a P,
    key: String,
}

/// The stored form: the number and the saga of each reservation, in the order of their entry.
type Entries = Vec<(u64, String)>;

/// What the state of a reservation says about its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Taken,
    /// The cancellation was requested, and ends within a moment unless a refund is delayed.
    Ending,
    Free,
}

impl<'a, P: Platform> LiveReservations<'a, P> {
    /// The live reservations of `customer` in the store of `platform`.
    pub fn new(platform: &'a P, customer: &CustomerId) -> Self {
        Self {
            platform,
            key: format!("live/{customer}"),
        }
    }

    /// Checks that the customer may have another reservation, before anything is allocated for it. Only [`Self::enter`]
    /// decides among simultaneous requests.
    ///
    /// # Errors
    ///
    /// [`Refusal::LimitReached`], and [`ChangeError`] when the store fails.
    pub async fn check(&self) -> Result<(), ChangeError<Refusal>> {
        let limit = self.limit().await;
        for poll in 0.. {
            let entries = self.decode(self.platform.state().get(&self.key).await?.as_deref())?;
            if entries.len() < limit {
                return Ok(());
            }
            let (live, ending) = self.live(entries).await?;
            if live.len() < limit {
                return Ok(());
            }
            if ending == 0 || poll == POLLS {
                break;
            }
            self.platform.sleep(POLL_INTERVAL).await;
        }
        Err(ChangeError::Refused(Refusal::LimitReached { limit }))
    }

    /// Takes a place for the reservation of an open saga. Idempotent.
    ///
    /// # Errors
    ///
    /// [`Refusal::LimitReached`], and [`ChangeError`] when the store fails.
    pub async fn enter(&self, note: &SagaNote) -> Result<(), ChangeError<Refusal>> {
        let limit = self.limit().await;
        let state = self.platform.state();
        let (number, token) = (note.reservation.0, note.token.as_str());
        let mut is_claimed = false;
        for attempt in 0..MAX_ATTEMPTS {
            let (value, cas) = state.get_for_swap(&self.key).await?;
            if value.is_none() && !is_claimed {
                claim_absent(self.platform, &self.key).await?;
                is_claimed = true;
                continue;
            }
            let mut entries = self.decode(value.as_deref())?;
            if entries.iter().any(|(_, entered)| entered == token) {
                // The previous swap took place, although the provider did not confirm it.
                self.release_claim(is_claimed).await;
                return Ok(());
            }
            // An earlier attempt under this number may have taken the place.
            entries.retain(|(entered, _)| *entered != number);
            if entries.len() >= limit {
                (entries, _) = self.live(entries).await?;
            }
            if entries.len() >= limit {
                return Err(ChangeError::Refused(Refusal::LimitReached { limit }));
            }
            entries.push((number, token.to_owned()));
            let value = serde_json::to_vec(&entries).map_err(|e| StoreError(e.to_string()))?;
            if state.compare_and_swap(cas, &value).await? == SwapOutcome::Written {
                self.release_claim(is_claimed).await;
                return Ok(());
            }
            self.back_off(attempt).await;
        }
        Err(ChangeError::Contended(self.key.clone()))
    }

    /// The value exists, so nothing has to claim it any more. A counter that stays costs a few bytes.
    async fn release_claim(&self, is_claimed: bool) {
        if is_claimed {
            let _ = claim::release(self.platform, &self.key).await;
        }
    }

    /// The entries whose reservations are live, and how many of them are about to end.
    async fn live(&self, entries: Entries) -> Result<(Entries, usize), ChangeError<Refusal>> {
        let (mut live, mut ending) = (Entries::new(), 0);
        for (number, token) in entries {
            match self.place(number, &token).await? {
                Place::Free => continue,
                Place::Ending => ending += 1,
                Place::Taken => {}
            }
            live.push((number, token));
        }
        Ok((live, ending))
    }

    async fn place(&self, number: u64, token: &str) -> Result<Place, ChangeError<Refusal>> {
        let id = ReservationId(number);
        if let Some(place) = self.place_of_stored(id).await? {
            return Ok(place);
        }
        let note = SagaNote::new(id, SagaToken::new(token));
        if SagaLog::new(self.platform).is_open(&note).await? {
            return Ok(Place::Taken);
        }
        // The reservation may have been stored, and its saga have ended, since it was looked for.
        Ok(self.place_of_stored(id).await?.unwrap_or(Place::Free))
    }

    /// The place of a reservation; `None` if it is not stored.
    async fn place_of_stored(&self, id: ReservationId) -> Result<Option<Place>, StoreError> {
        let reservations = ReservationRepository::new(self.platform);
        let stage = match reservations.find::<Refusal>(id).await {
            Ok(found) => found.map(|found| found.state.stage),
            Err(ChangeError::Store(error)) => return Err(error),
            // A reservation that cannot be read may be live.
            Err(_) => return Ok(Some(Place::Taken)),
        };
        Ok(stage.map(|stage| match stage {
            Stage::Requested | Stage::Reserved { .. } => Place::Taken,
            Stage::CancelRequested { .. } => Place::Ending,
            Stage::Cancelled { .. } | Stage::Rejected { .. } => Place::Free,
        }))
    }

    async fn limit(&self) -> usize {
        let Some(text) = self.platform.variable(LIMIT).await else {
            return DEFAULT_LIMIT;
        };
        let limit = text.trim().parse::<usize>().unwrap_or_else(|_| {
            report(&format!(
                "the variable {LIMIT} is `{text}`, where a number belongs; it counts as {DEFAULT_LIMIT}"
            ));
            DEFAULT_LIMIT
        });
        limit.min(MAX_LIMIT)
    }

    fn decode(&self, value: Option<&[u8]>) -> Result<Entries, ChangeError<Refusal>> {
        let decoded = value.map_or_else(|| Ok(Entries::new()), serde_json::from_slice);
        decoded.map_err(|error| ChangeError::Corrupt(self.key.clone(), error.to_string()))
    }

    /// Waits for a random time of up to 64 ms after a lost swap, as the winner may be one of many requests.
    async fn back_off(&self, attempt: u32) {
        let random = u64::from_str_radix(&self.platform.unique_id()[..4], 16).unwrap_or(1);
        let wait = Duration::from_millis(random % (1 << attempt.min(6)));
        self.platform.sleep(wait).await;
    }
}

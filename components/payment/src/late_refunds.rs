//! Late refunds: the gateway may process a request long after its caller gave up, for example from a queue of its
//! own. A refund that found no money is therefore repeated for a day, at growing intervals.
//!
//! Each one is one key in the outbox store, which names its time, so a sweep that lists the store reads nothing for those
//! that are not due.
//!
//! The value of a late refund says which gateway is asked. A gateway that does not respond costs a sweep much of its time;
//! the value therefore also says until when it is postponed after failures. Its key stays the same, so that two sweeps that fail at the same time do not make two of one.

use crate::domain::GatewayId;
use events::{ReservationId, Timestamp};
use kit::{Backlog, Platform, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The key prefix of late refunds in the outbox store.
const LATE: &str = "late/";
/// The waits before each repetition. A refund is idempotent, so the exact times do not matter.
const WAITS: [Duration; 5] = [
    Duration::from_secs(60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
    Duration::from_secs(24 * 60 * 60),
];

/// The wait after the first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// The longest wait after a failure.
const LONGEST_RETRY: Duration = Duration::from_secs(10 * 60);

/// One more refund of a reservation whose payment ended without a certain outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateRefund {
    /// The reservation.
    pub reservation: ReservationId,
    due: Timestamp,
    /// Number of waits before this one.
    step: usize,
}

/// The stored value: the gateway, and the failures of this repetition so far. Older versions stored `{}`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LateRefundRecord {
    #[serde(default)]
    count: u32,
    /// The time of the next attempt.
    #[serde(default)]
    retry: Timestamp,
    /// The gateway; absent in the records of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
}

impl LateRefundRecord {
    /// The gateway that is asked; `None` if an older version stored the refund.
    #[must_use]
    pub fn gateway(&self) -> Option<GatewayId> {
        self.gateway.clone().map(GatewayId::stored)
    }

    /// Whether the next attempt is due. A time that is further away than the longest wait was written by a wrong
    /// clock.
    pub fn is_retry_due<P: Platform>(&self, platform: &P) -> bool {
        let now = platform.now();
        now >= self.retry || now.distance(self.retry) > LONGEST_RETRY
    }

    /// The record with one more failure, counted from now.
    fn after_failure<P: Platform>(&self, platform: &P) -> Self {
        let factor = 2_u32.saturating_pow(self.count);
        let wait = FIRST_RETRY.saturating_mul(factor).min(LONGEST_RETRY);
        Self {
            count: self.count.saturating_add(1),
            retry: after(platform.now(), wait),
            gateway: self.gateway.clone(),
        }
    }
}

impl LateRefund {
    /// The first repetition for a reservation, counted from now.
    pub fn first<P: Platform>(platform: &P, reservation: ReservationId) -> Self {
        Self {
            reservation,
            due: after(platform.now(), WAITS[0]),
            step: 0,
        }
    }

    /// The repetition after this one; `None` after the last one.
    pub fn next<P: Platform>(&self, platform: &P) -> Option<Self> {
        let step = self.step + 1;
        Some(Self {
            due: after(platform.now(), *WAITS.get(step)?),
            step,
            ..*self
        })
    }

    /// Stores it, as a refund of `gateway`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn save<P: Platform>(
        &self,
        platform: &P,
        gateway: Option<&GatewayId>,
    ) -> Result<(), StoreError> {
        let record = LateRefundRecord {
            gateway: gateway.map(|gateway| gateway.as_str().to_owned()),
            ..LateRefundRecord::default()
        };
        self.store(platform, &record).await
    }

    async fn store<P: Platform>(
        &self,
        platform: &P,
        record: &LateRefundRecord,
    ) -> Result<(), StoreError> {
        let value = serde_json::to_vec(record).map_err(|e| StoreError(e.to_string()))?;
        platform.outbox().set(&self.key(), &value).await
    }

    /// Its stored value; `None` if another sweep has deleted it. A value that cannot be read counts as no failure.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn record<P: Platform>(
        &self,
        platform: &P,
    ) -> Result<Option<LateRefundRecord>, StoreError> {
        let value = platform.outbox().get(&self.key()).await?;
        Ok(value.map(|value| serde_json::from_slice(&value).unwrap_or_default()))
    }

    /// Postpones it after one more failure. The wait grows from failure to failure.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the next sweep then tries it again.
    pub async fn postpone<P: Platform>(
        &self,
        platform: &P,
        record: &LateRefundRecord,
    ) -> Result<(), StoreError> {
        self.store(platform, &record.after_failure(platform)).await
    }

    /// Deletes it. A failure is ignored: the refund is then repeated once more.
    pub async fn delete<P: Platform>(&self, platform: &P) {
        let _ = platform.outbox().delete(&self.key()).await;
    }

    /// Whether its time has come. A time that is further away than its wait was written by a wrong clock.
    fn is_due(&self, now: Timestamp) -> bool {
        let wait = WAITS.get(self.step).copied().unwrap_or_default();
        now >= self.due || now.distance(self.due) > wait
    }

    fn key(&self) -> String {
        let due = self.due.as_millis();
        format!("{LATE}{}/{due}/{}", self.reservation, self.step)
    }

    fn parse(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix(LATE)?.split('/');
        let reservation = parts.next()?.parse().ok()?;
        let due = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let step = parts.next()?.parse().ok()?;
        Some(Self {
            reservation,
            due,
            step,
        })
    }
}

/// The late refunds in `backlog` that are due. As in the backlog, the first one varies from sweep to sweep.
pub fn due<P: Platform>(platform: &P, backlog: &Backlog) -> Vec<LateRefund> {
    let now = platform.now();
    let late = backlog.keys().filter_map(LateRefund::parse);
    let mut due: Vec<LateRefund> = late.filter(|late| late.is_due(now)).collect();
    if !due.is_empty() {
        let first = usize::try_from(now.as_millis()).unwrap_or_default() % due.len();
        due.rotate_left(first);
    }
    due
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(wait))
}

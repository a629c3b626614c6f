//! Late refunds: the gateway may process a request long after its caller gave up, for example from a queue of its
//! own. A refund that found no money is therefore repeated for a day, at growing intervals.
//!
//! Each one is one key in the outbox store, which names its time, so a sweep that lists the store reads nothing for those
//! that are not due. All times are those of the [clock that the hosts share](shared_clock): by the clock of another host, a
//! repetition could be due at once, and the next one, too.
//!
//! The value of a late refund says which gateway is asked. A gateway that does not respond costs a sweep much of its time;
//! the value therefore also says until when it is postponed after failures. Its key stays the same, so that two sweeps that fail at the same time do not make two of one.

use crate::domain::GatewayId;
use events::ReservationId;
use kit::{Backlog, Platform, Store, StoreError, shared_clock};
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
/// More than the difference between two readings of the shared clock.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10 * 60);

/// One more refund of a reservation whose payment ended without a certain outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateRefund {
    /// The reservation.
    pub reservation: ReservationId,
    due: DueTime,
    /// Number of waits before this one.
    step: usize,
}

/// The time of a repetition, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DueTime {
    /// By the clock that the hosts share.
    Shared(u64),
    /// By the clock of some host, in the keys of an older version.
    OfSomeHost(u64),
}

/// The stored value: the gateway, and the failures of this repetition so far. Older versions stored `{}`, or `retry`, a time
/// by the clock of some host.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LateRefundRecord {
    #[serde(default)]
    count: u32,
    /// The time of the next attempt by the clock that the hosts share, in milliseconds.
    #[serde(default)]
    retry_at: u64,
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

    /// Whether the next attempt is due at the time `now` of the shared clock.
    #[must_use]
    pub fn is_retry_due(&self, now: Duration) -> bool {
        has_come(self.retry_at, LONGEST_RETRY, now)
    }

    /// The record with one more failure, counted from now.
    fn after_failure(&self, now: Duration) -> Self {
        let factor = 2_u32.saturating_pow(self.count);
        let wait = FIRST_RETRY.saturating_mul(factor).min(LONGEST_RETRY);
        Self {
            count: self.count.saturating_add(1),
            retry_at: after(now, wait),
            gateway: self.gateway.clone(),
        }
    }
}

impl LateRefund {
    /// The first repetition for a reservation, counted from the time `now` of the shared clock.
    #[must_use]
    pub fn first(now: Duration, reservation: ReservationId) -> Self {
        Self {
            reservation,
            due: DueTime::Shared(after(now, WAITS[0])),
            step: 0,
        }
    }

    /// The repetition after this one, counted from the time `now` of the shared clock; `None` after the last one.
    #[must_use]
    pub fn next(&self, now: Duration) -> Option<Self> {
        let step = self.step + 1;
        Some(Self {
            due: DueTime::Shared(after(now, *WAITS.get(step)?)),
            step,
            ..*self
        })
    }

    /// The same repetition by the shared clock, if an older version stored it: its wait begins anew at the time `now`, because
    /// it is unknown whose clock its time is of.
    #[must_use]
    pub fn converted(&self, now: Duration) -> Option<Self> {
        let is_converted = matches!(self.due, DueTime::Shared(_));
        (!is_converted).then(|| Self {
            due: DueTime::Shared(after(now, self.wait())),
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

    /// Postpones it after one more failure, counted from the time `now` of the shared clock. The wait grows from failure to
    /// failure.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the next sweep then tries it again.
    pub async fn postpone<P: Platform>(
        &self,
        platform: &P,
        record: &LateRefundRecord,
        now: Duration,
    ) -> Result<(), StoreError> {
        self.store(platform, &record.after_failure(now)).await
    }

    /// Deletes it. A failure is ignored: the refund is then repeated once more.
    pub async fn delete<P: Platform>(&self, platform: &P) {
        let _ = platform.outbox().delete(&self.key()).await;
    }

    /// Whether a sweep has something to do for it at the time `now` of the shared clock: repeat it, or convert it.
    fn is_due(&self, now: Duration) -> bool {
        match self.due {
            DueTime::Shared(due) => has_come(due, self.wait(), now),
            DueTime::OfSomeHost(_) => true,
        }
    }

    /// The wait before this repetition.
    fn wait(&self) -> Duration {
        WAITS.get(self.step).copied().unwrap_or_default()
    }

    /// Versions that do not know the shared clock ignore a key with `@`, while hosts of both versions run.
    fn key(&self) -> String {
        let Self {
            reservation, step, ..
        } = self;
        match self.due {
            DueTime::Shared(due) => format!("{LATE}{reservation}/{step}@{due}"),
            DueTime::OfSomeHost(due) => format!("{LATE}{reservation}/{due}/{step}"),
        }
    }

    fn parse(key: &str) -> Option<Self> {
        let (reservation, time) = key.strip_prefix(LATE)?.split_once('/')?;
        let (due, step) = match time.split_once('@') {
            Some((step, due)) => (DueTime::Shared(due.parse().ok()?), step),
            None => {
                let (due, step) = time.split_once('/')?;
                (DueTime::OfSomeHost(due.parse().ok()?), step)
            }
        };
        Some(Self {
            reservation: reservation.parse().ok()?,
            due,
            step: step.parse().ok()?,
        })
    }
}

/// The late refunds in `backlog` that are due, and the time of the shared clock. As in the backlog, the first one varies from
/// sweep to sweep.
///
/// # Errors
///
/// [`StoreError`] when the store fails.
pub async fn due<P: Platform>(
    platform: &P,
    backlog: &Backlog,
) -> Result<(Vec<LateRefund>, Duration), StoreError> {
    let mut due: Vec<LateRefund> = backlog.keys().filter_map(LateRefund::parse).collect();
    if due.is_empty() {
        return Ok((due, Duration::ZERO));
    }
    let now = shared_clock::time(platform).await?;
    due.retain(|late| late.is_due(now));
    if !due.is_empty() {
        let millis = platform.now().as_millis();
        let first = usize::try_from(millis).unwrap_or_default() % due.len();
        due.rotate_left(first);
    }
    Ok((due, now))
}

/// Whether the time `due`, in milliseconds, has come after a wait of at most `wait`. One that is further away is of a shared
/// clock that was lost.
fn has_come(due: u64, wait: Duration, now: Duration) -> bool {
    let left = Duration::from_millis(due).saturating_sub(now);
    left.is_zero() || left > wait + CLOCK_TOLERANCE
}

/// The time `wait` after `now`, in milliseconds.
fn after(now: Duration, wait: Duration) -> u64 {
    u64::try_from(now.saturating_add(wait).as_millis()).unwrap_or(u64::MAX)
}

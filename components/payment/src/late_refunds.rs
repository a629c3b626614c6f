//! Late refunds: the gateway may process a request long after its caller gave up, for example from a queue of its
//! own. A refund that found no money is therefore repeated for a day, at growing intervals.
//!
//! Each one that is due is one key in the outbox store, which names its time. It has no value of its own, so a sweep
//! that lists the store reads nothing for those that are not due.

use events::{ReservationId, Timestamp};
use kit::{Backlog, Platform, Store, StoreError};
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

/// One more refund of a reservation whose payment ended without a certain outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateRefund {
    /// The reservation.
    pub reservation: ReservationId,
    due: Timestamp,
    /// Number of waits before this one.
    step: usize,
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

    /// Stores it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn save<P: Platform>(&self, platform: &P) -> Result<(), StoreError> {
        platform.outbox().set(&self.key(), b"{}").await
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

/// The late refunds in `backlog` that are due.
pub fn due<P: Platform>(platform: &P, backlog: &Backlog) -> Vec<LateRefund> {
    let now = platform.now();
    let late = backlog.keys().filter_map(LateRefund::parse);
    late.filter(|late| late.is_due(now)).collect()
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(wait))
}

//! A circuit breaker around the calls over one link, for hosts without breakers.
//!
//! The state machine is the same as the host's ([`resilience::breaker`]). An instance does not live long
//! enough to observe the outcomes of calls, so the state is in the context's store, as one small value per
//! link. A call reads it once. A call writes it only if it changes, which a successful call over a healthy
//! link does not: its window is full of successes already. Each change has an id in the stored value, so that a change
//! whose swap is reported as a conflict is not made twice.
//!
//! The breaker fails open. If the store is unavailable, every call is permitted, and a lost swap loses the
//! outcome of one call. No call is rejected for longer than the bounded open time: the first calls after
//! it are probes, those of sweeps included.

mod stored_breaker;

use crate::{
    platform::Platform,
    store::{Store, SwapOutcome},
};
use resilience::breaker::{
    AdmittedCall, BreakerConfig, BreakerOutcome, BreakerSettings, OpenDuration, SavedPhase,
    SavedState, StateMachine, WindowSize,
};
use std::time::Duration;
use stored_breaker::StoredBreaker;

/// Number of swaps that are attempted to record one change.
const MAX_ATTEMPTS: u32 = 3;

/// How far the clocks of two hosts may differ, in nanoseconds.
const CLOCK_TOLERANCE: u64 = 10_000_000_000;

/// The breaker of one link.
#[derive(Clone, Debug)]
pub struct Breaker<P> {
    platform: P,
    key: String,
}

/// The breaker of the link is open: the call was rejected and not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is open for another {retry_after} s")]
pub struct BreakerOpen {
    /// Time until the next probe, in seconds, rounded up.
    pub retry_after: u64,
}

/// A permitted call, with the state machine as it was when the call was admitted.
struct CallPermit {
    admitted: AdmittedCall,
    machine: StateMachine,
}

impl<P: Platform> Breaker<P> {
    /// The breaker of the link to `context`.
    pub fn new(platform: P, context: &str) -> Self {
        let key = format!("breaker/{context}");
        Self { platform, key }
    }

    /// Makes a call unless the breaker is open. `Err` of the call counts as a failure of the link; a refusal by
    /// the other side must therefore be an `Ok`.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`] if the call was not made, or the error of the call.
    pub async fn call<T, E: From<BreakerOpen>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let permit = self.admit().await?;
        let answer = call.await;
        let outcome = match answer {
            Ok(_) => BreakerOutcome::Success,
            Err(_) => BreakerOutcome::Failure,
        };
        if let Some(permit) = permit {
            self.finish(permit, outcome).await;
        }
        answer
    }

    /// Admits a call. `None` if the state cannot be read; the call is then made without a permit.
    async fn admit(&self) -> Result<Option<CallPermit>, BreakerOpen> {
        let Ok(value) = self.platform.state().get(&self.key).await else {
            return Ok(None);
        };
        let mut machine = self.machine(value.as_deref(), 0);
        let before = machine.save();
        let (admitted, _) = machine.admit(self.now());
        let admitted = match machine.save() == before {
            true => Some((admitted, machine)),
            // The breaker changes its state, or this call is a probe: other instances must know it.
            false => self.change(|machine, now| machine.admit(now).0).await,
        };
        match admitted {
            None => Ok(None),
            Some((Ok(admitted), machine)) => Ok(Some(CallPermit { admitted, machine })),
            Some((Err(denied), _)) => Err(BreakerOpen {
                retry_after: whole_seconds(denied.retry_after),
            }),
        }
    }

    async fn finish(&self, permit: CallPermit, outcome: BreakerOutcome) {
        let CallPermit {
            admitted,
            mut machine,
        } = permit;
        let before = machine.save();
        machine.finish(admitted, outcome, self.now());
        if machine.save() != before {
            // If this fails, the outcome of this one call is lost.
            let finish = |machine: &mut StateMachine, now| machine.finish(admitted, outcome, now);
            let _ = self.change(finish).await;
        }
    }

    /// Changes the stored state; `None` if the store fails or other writers change it before every attempt.
    async fn change<T>(
        &self,
        change: impl Fn(&mut StateMachine, Duration) -> T,
    ) -> Option<(T, StateMachine)> {
        let state = self.platform.state();
        let id = self.platform.unique_id();
        for _ in 0..MAX_ATTEMPTS {
            let (value, token) = state.get_for_swap(&self.key).await.ok()?;
            let mut machine = self.machine(value.as_deref(), self.seed());
            let before = machine.save();
            let output = change(&mut machine, self.now());
            let after = machine.save();
            if after == before {
                return Some((output, machine));
            }
            let next = StoredBreaker::decode(value.as_deref()).followed_by(after, &id);
            if self.is_written(token, &next, &id).await? {
                return Some((output, machine));
            }
        }
        None
    }

    /// Swaps the stored value for `next`, which the change `id` made; `None` if the store fails.
    async fn is_written(
        &self,
        token: <P::Store as Store>::CasToken,
        next: &StoredBreaker,
        id: &str,
    ) -> Option<bool> {
        let state = self.platform.state();
        let next = next.encode()?;
        if state.compare_and_swap(token, &next).await.ok()? == SwapOutcome::Written {
            return Some(true);
        }
        // A provider may report a conflict although it wrote the value, and others may have changed it since.
        let value = state.get(&self.key).await.ok()?;
        Some(StoredBreaker::decode(value.as_deref()).contains(id))
    }

    /// The stored state machine; a closed one if the value is absent or cannot be decoded.
    fn machine(&self, value: Option<&[u8]>, seed: u64) -> StateMachine {
        match StoredBreaker::decode(value).state {
            Some(saved) => {
                let now = self.now();
                StateMachine::restore(config(), seed, &not_in_the_future(saved, now), now)
            }
            None => StateMachine::new(config(), seed),
        }
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.platform.now().as_millis())
    }

    fn seed(&self) -> u64 {
        let unique = self.platform.unique_id();
        let digits = unique.len().saturating_sub(16);
        u64::from_str_radix(&unique[digits..], 16).unwrap_or_default()
    }
}

/// The saved state as of `now` at the latest. A clock that was far ahead has saved times that would otherwise keep the breaker
/// open until this clock has caught up: such an open state is over. That of a clock which differs a little ends when this
/// clock has caught up.
fn not_in_the_future(mut saved: SavedState, now: Duration) -> SavedState {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    saved.since = saved.since.min(now);
    match &mut saved.phase {
        SavedPhase::Open { until } => {
            let latest = now.saturating_add(saved.open_duration);
            if *until > latest.saturating_add(CLOCK_TOLERANCE) {
                *until = now;
            }
        }
        SavedPhase::HalfOpen { last_start, .. } => {
            *last_start = match *last_start > now.saturating_add(CLOCK_TOLERANCE) {
                true => 0,
                false => (*last_start).min(now),
            }
        }
        _ => {}
    }
    saved
}

/// The breaker opens after five consecutive failures, or when half of at least ten calls failed. The window is small
/// because it is stored.
fn config() -> BreakerConfig {
    let settings = BreakerSettings {
        window: WindowSize::Calls(20),
        minimum_calls: 10,
        consecutive_failures: Some(5),
        open_duration: OpenDuration {
            max: Duration::from_secs(30),
            ..OpenDuration::default()
        },
        ..BreakerSettings::default()
    };
    // The settings are within their bounds, which a test checks.
    BreakerConfig::new(settings).unwrap_or_default()
}

/// Rounds up: an earlier retry would be rejected.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;

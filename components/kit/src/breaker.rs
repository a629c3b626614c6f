//! A circuit breaker around the calls over one link, where the host has none.
//!
//! The state machine is the host's own ([`resilience::breaker`]). An instance does not live long
//! enough to know how calls went, so what is to be remembered lies in the context's store: one small
//! value for each link. A call reads it once. It is written only when it says something new, which
//! calls over a healthy link do not: the window is full of good ones already.
//!
//! It is there to help and must not stand in the way. A store that is silent lets every call pass,
//! and a lost swap loses what one call had to say. Nobody is refused for long: the open time is
//! bounded, and whoever comes after it is a probe, sweeps included.

use crate::{Platform, Store, SwapOutcome};
use resilience::breaker::{
    AdmittedCall, BreakerConfig, BreakerOutcome, BreakerSettings, OpenDuration, SavedState,
    StateMachine, WindowSize,
};
use std::time::Duration;

/// How often a change is tried while others change the same link.
const MAX_ATTEMPTS: u32 = 3;

/// The breaker of one link.
#[derive(Clone, Debug)]
pub struct Breaker<P> {
    platform: P,
    key: String,
}

/// The link is known to be sick: the call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is open for another {retry_after} s")]
pub struct BreakerOpen {
    /// After how many seconds another try makes sense.
    pub retry_after: u64,
}

/// A call that may be made, and the breaker as it was then.
struct CallPermit {
    ticket: AdmittedCall,
    machine: StateMachine,
}

impl<P: Platform> Breaker<P> {
    /// The breaker of the link to `context`.
    pub fn new(platform: P, context: &str) -> Self {
        let key = format!("breaker/{context}");
        Self { platform, key }
    }

    /// Makes a call, unless the link is cut off. Every error of its own is a failure of the link;
    /// refusals of the other side are answers.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`], and the call's own.
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

    /// A permit; none where nobody knows how the link is, and the call may be made all the same.
    async fn admit(&self) -> Result<Option<CallPermit>, BreakerOpen> {
        let Ok(value) = self.platform.state().get(&self.key).await else {
            return Ok(None);
        };
        let mut machine = self.machine(value.as_deref(), 0);
        let before = machine.save();
        let (admitted, _) = machine.admit(self.now());
        let admitted = match machine.save() == before {
            true => Some((admitted, machine)),
            // It opens, or this is a probe: that must be known to others.
            false => self.change(|machine, now| machine.admit(now).0).await,
        };
        match admitted {
            None => Ok(None),
            Some((Ok(ticket), machine)) => Ok(Some(CallPermit { ticket, machine })),
            Some((Err(denied), _)) => Err(BreakerOpen {
                retry_after: whole_seconds(denied.retry_after),
            }),
        }
    }

    async fn finish(&self, permit: CallPermit, outcome: BreakerOutcome) {
        let CallPermit {
            ticket,
            mut machine,
        } = permit;
        let before = machine.save();
        machine.finish(ticket, outcome, self.now());
        if machine.save() != before {
            // What cannot be written is one call less to judge by.
            let finish = |machine: &mut StateMachine, now| machine.finish(ticket, outcome, now);
            let _ = self.change(finish).await;
        }
    }

    /// Changes what is remembered; `None` when the store is silent or too many others change it.
    async fn change<T>(
        &self,
        change: impl Fn(&mut StateMachine, Duration) -> T,
    ) -> Option<(T, StateMachine)> {
        let state = self.platform.state();
        for _ in 0..MAX_ATTEMPTS {
            let (value, token) = state.get_for_swap(&self.key).await.ok()?;
            let mut machine = self.machine(value.as_deref(), self.seed());
            let output = change(&mut machine, self.now());
            let saved = serde_json::to_vec(&machine.save()).ok()?;
            let is_written = value.as_ref() == Some(&saved)
                || state.compare_and_swap(token, &saved).await.ok()? == SwapOutcome::Written
                // A provider may deny what it did.
                || state.get(&self.key).await.ok()?.as_ref() == Some(&saved);
            if is_written {
                return Some((output, machine));
            }
        }
        None
    }

    /// The machine that was remembered; a closed one if there is none, or none that can be read.
    fn machine(&self, value: Option<&[u8]>, seed: u64) -> StateMachine {
        let saved = value.and_then(|value| serde_json::from_slice::<SavedState>(value).ok());
        match saved {
            Some(saved) => StateMachine::restore(config(), seed, &saved, self.now()),
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

/// Five failures in a row, or half of at least ten calls. The window is small because it is written.
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
    // Within bounds, as a test makes sure.
    BreakerConfig::new(settings).unwrap_or_default()
}

/// Rounded up: too early is in vain.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;

//! The state machine of a breaker, as a plain value: timestamps and outcomes are its input, decisions its output.
//!
//! It has no clock, no lock and no runtime, so a test runs thousands of histories in a second. Each state has one method
//! for a call that begins ([`StateMachine::admit`]) and one for a call that ends ([`StateMachine::finish`]).
//!
//! Each change of state begins a new *generation*, and an [`AdmittedCall`] carries the generation in which it was
//! admitted. A call that ends in a later generation has no effect on the state: a late failure of an earlier outage
//! neither opens a breaker that has just closed, nor counts as a probe of a half-open one.

mod persistence;
mod phase;
#[cfg(test)]
mod properties;

use std::time::Duration;

use super::config::{BreakerConfig, SlowCalls};
use super::counts::{WindowCounts, WindowEntry};
use super::decision::{AdmissionDecision, AdmittedCall, RejectedCall, StateChange};
use super::outcome::BreakerOutcome;
use super::probes::{ProbeDecision, Probes};
use super::rules::violated_rule;
use super::snapshot::{BreakerSnapshot, CallTotals};
use super::transition::{BreakerState, TransitionReason};
use crate::timestamp::Timestamp;
use phase::Phase;

/// A breaker as a plain value. All timestamps that it receives count from one origin, which the caller chooses.
#[derive(Debug)]
pub struct StateMachine {
    config: BreakerConfig,
    phase: Phase,
    /// When the present state began.
    since: Timestamp,
    /// The number of changes of state.
    generation: u64,
    /// The number of openings in a row, from which the open duration grows.
    openings: u32,
    /// The duration of the last opening.
    last_open_duration: Duration,
    random: fastrand::Rng,
    totals: CallTotals,
}

impl StateMachine {
    /// A closed breaker. The seed determines the jitter of the open durations.
    pub fn new(config: BreakerConfig, seed: u64) -> Self {
        Self {
            phase: Phase::closed(&config),
            config,
            since: Timestamp::ZERO,
            generation: 0,
            openings: 0,
            last_open_duration: Duration::ZERO,
            random: fastrand::Rng::with_seed(seed),
            totals: CallTotals::default(),
        }
    }

    /// Admits or rejects a call.
    pub fn admit(&mut self, now: Timestamp) -> AdmissionDecision {
        match self.phase {
            Phase::Closed { .. } | Phase::Disabled => (Ok(self.admitted(now)), None),
            Phase::Open { until } => self.admit_when_open(until, now),
            Phase::HalfOpen(probes) => self.admit_when_half_open(probes, now),
            Phase::ForcedOpen => (Err(self.reject(now)), None),
        }
    }

    fn admit_when_open(&mut self, until: Timestamp, now: Timestamp) -> AdmissionDecision {
        if now < until {
            return (Err(self.reject(now)), None);
        }
        let half_open = Phase::HalfOpen(Probes::first(now));
        let change = self.enter(half_open, TransitionReason::OpenDurationElapsed, now);
        (Ok(self.admitted(now)), Some(change))
    }

    fn admit_when_half_open(&mut self, probes: Probes, now: Timestamp) -> AdmissionDecision {
        let settings = self.config.settings();
        if probes.started < settings.probes {
            self.phase = Phase::HalfOpen(probes.next(now));
            return (Ok(self.admitted(now)), None);
        }
        if now < probes.last_start + settings.probe_timeout {
            return (Err(self.reject(now)), None);
        }
        let change = self.open(TransitionReason::ProbesTimedOut, now);
        (Err(self.reject(now)), Some(change))
    }

    /// Records the outcome of a call that ended.
    pub fn finish(
        &mut self,
        call: AdmittedCall,
        outcome: BreakerOutcome,
        now: Timestamp,
    ) -> Option<StateChange> {
        let entry = self.entry(call, outcome, now);
        self.totals.count(entry);
        if call.generation != self.generation {
            return None;
        }
        match self.phase {
            Phase::Closed { .. } => self.finish_when_closed(entry?, now),
            Phase::HalfOpen(_) => self.finish_when_half_open(entry, now),
            Phase::Open { .. } | Phase::ForcedOpen | Phase::Disabled => None,
        }
    }

    fn finish_when_closed(&mut self, entry: WindowEntry, now: Timestamp) -> Option<StateChange> {
        let Phase::Closed {
            window,
            consecutive_failures,
        } = &mut self.phase
        else {
            return None;
        };
        *consecutive_failures = match entry.failed {
            true => *consecutive_failures + 1,
            false => 0,
        };
        let counts = window.add(entry, now);
        let reason = violated_rule(self.config.settings(), counts, *consecutive_failures)?;
        Some(self.open(reason, now))
    }

    fn finish_when_half_open(
        &mut self,
        entry: Option<WindowEntry>,
        now: Timestamp,
    ) -> Option<StateChange> {
        let Phase::HalfOpen(probes) = &mut self.phase else {
            return None;
        };
        probes.record(entry);
        entry?;
        match probes.decision(self.config.settings()) {
            ProbeDecision::Pending => None,
            ProbeDecision::Open(reason) => Some(self.open(reason, now)),
            ProbeDecision::Close => {
                let closed = Phase::closed(&self.config);
                Some(self.enter(closed, TransitionReason::ProbesSucceeded, now))
            }
        }
    }

    /// Records a call that was cancelled: as slow if it took so long, otherwise as ignored.
    pub fn abandon(&mut self, call: AdmittedCall, now: Timestamp) -> Option<StateChange> {
        let outcome = match self.is_slow(call, now) {
            true => BreakerOutcome::Slow,
            false => BreakerOutcome::Ignored,
        };
        self.finish(call, outcome, now)
    }

    /// Rejects every call from now on, at the request of an operator.
    pub fn force_open(&mut self, now: Timestamp) -> Option<StateChange> {
        let is_forced = matches!(self.phase, Phase::ForcedOpen);
        (!is_forced).then(|| self.enter(Phase::ForcedOpen, TransitionReason::Operator, now))
    }

    /// Lets every call pass from now on, at the request of an operator.
    pub fn disable(&mut self, now: Timestamp) -> Option<StateChange> {
        let is_disabled = matches!(self.phase, Phase::Disabled);
        (!is_disabled).then(|| self.enter(Phase::Disabled, TransitionReason::Operator, now))
    }

    /// Closes the breaker, at the request of an operator: with an empty window, and the initial open duration.
    pub fn reset(&mut self, now: Timestamp) -> Option<StateChange> {
        let was_closed = matches!(self.phase, Phase::Closed { .. });
        self.openings = 0;
        let closed = Phase::closed(&self.config);
        let change = self.enter(closed, TransitionReason::Operator, now);
        (!was_closed).then_some(change)
    }

    /// The present state.
    pub fn state(&self) -> BreakerState {
        self.phase.state()
    }

    /// For how long calls are rejected; `None` if the next call passes.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        self.phase.retry_after(self.config.settings(), now)
    }

    /// The state and the counts for an operator.
    pub fn snapshot(&mut self, now: Timestamp) -> BreakerSnapshot {
        let (window, consecutive_failures) = match &mut self.phase {
            Phase::Closed {
                window,
                consecutive_failures,
            } => (window.counts(now), *consecutive_failures),
            _ => (WindowCounts::default(), 0),
        };
        BreakerSnapshot {
            state: self.state(),
            since: now.saturating_sub(self.since),
            retry_after: self.retry_after(now),
            window,
            consecutive_failures,
            openings: self.openings,
            totals: self.totals,
        }
    }

    fn admitted(&self, now: Timestamp) -> AdmittedCall {
        AdmittedCall {
            generation: self.generation,
            start: now,
        }
    }

    fn reject(&mut self, now: Timestamp) -> RejectedCall {
        self.totals.rejected += 1;
        RejectedCall {
            state: self.state(),
            retry_after: self.retry_after(now).unwrap_or_default(),
        }
    }

    /// `None` if the outcome is ignored.
    fn entry(
        &self,
        call: AdmittedCall,
        outcome: BreakerOutcome,
        now: Timestamp,
    ) -> Option<WindowEntry> {
        let (failed, slow) = match outcome {
            BreakerOutcome::Success => (false, self.is_slow(call, now)),
            BreakerOutcome::Slow => (false, true),
            BreakerOutcome::Failure => (true, self.is_slow(call, now)),
            BreakerOutcome::Ignored => return None,
        };
        Some(WindowEntry { failed, slow })
    }

    fn is_slow(&self, call: AdmittedCall, now: Timestamp) -> bool {
        let duration = now.saturating_sub(call.start);
        let slow_calls = self.config.settings().slow_calls;
        slow_calls.is_some_and(|SlowCalls { after, .. }| duration >= after)
    }

    /// Opens the breaker, for longer than before unless it was closed for at least the last open duration.
    fn open(&mut self, reason: TransitionReason, now: Timestamp) -> StateChange {
        let was_closed = matches!(self.phase, Phase::Closed { .. });
        if was_closed && now.saturating_sub(self.since) >= self.last_open_duration {
            self.openings = 0;
        }
        self.openings = self.openings.saturating_add(1);
        let open_duration = self.config.settings().open_duration;
        self.last_open_duration = open_duration.randomized(self.openings, self.random.f64());
        let until = now + self.last_open_duration;
        self.enter(Phase::Open { until }, reason, now)
    }

    fn enter(&mut self, phase: Phase, reason: TransitionReason, now: Timestamp) -> StateChange {
        let from = self.phase.state();
        self.phase = phase;
        self.since = now;
        self.generation += 1;
        StateChange {
            sequence: self.generation,
            from,
            to: self.state(),
            reason,
            retry_after: self.retry_after(now),
        }
    }
}

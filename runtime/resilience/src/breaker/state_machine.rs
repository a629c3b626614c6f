//! The state machine of a breaker, as a plain value: the time and the outcomes come in, decisions come out.
//!
//! It has no clock, no lock and no runtime, so that thousands of histories can be tried in a second. One method per
//! state says what happens to a call that wants through ([`StateMachine::admit`]) and to one that ended
//! ([`StateMachine::finish`]). Each change of state begins a new *era*, and a [`AdmittedCall`] remembers the era it was given
//! in: a call that outlives its era no longer has a say, so stragglers of yesterday's outage neither trip a breaker
//! that has just closed nor stand in for the probes of a half-open one.

use std::time::Duration;

pub use saved_state::{SavedPhase, SavedState};

use super::config::{BreakerConfig, SlowCalls};
use super::rules::{self, ProbeDecision, Probes};
use super::snapshot::{BreakerSnapshot, CallTotals};
use super::transition::{BreakerState, TransitionReason};
use super::window::{Window, WindowCounts, WindowEntry};
use super::{BreakerOutcome, Timestamp};

/// A breaker as a plain value.
#[derive(Debug)]
pub struct StateMachine {
    config: BreakerConfig,
    phase: Phase,
    /// When the present state began.
    since: Timestamp,
    /// Counts the changes of state.
    generation: u64,
    /// How often it has opened in a row, which is what makes the open time grow.
    openings: u32,
    /// How long it was last told to stay open.
    last_open_duration: Duration,
    luck: fastrand::Rng,
    totals: CallTotals,
}

/// The present state, with what only that state needs.
#[derive(Debug)]
enum Phase {
    Closed {
        window: Window,
        consecutive_failures: u32,
    },
    Open {
        until: Timestamp,
    },
    HalfOpen(Probes),
    ForcedOpen,
    Disabled,
}

/// The right to make one call.
#[derive(Clone, Copy, Debug)]
pub struct AdmittedCall {
    generation: u64,
    start: Timestamp,
}

/// No call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedCall {
    /// Open, forced open, or half-open with all its probes under way.
    pub state: BreakerState,
    /// When it makes sense to try again.
    pub retry_after: Duration,
}

/// What becomes of a call, and of the breaker by it.
pub type AdmissionDecision = (Result<AdmittedCall, RejectedCall>, Option<StateChange>);

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Counts the changes from 1.
    pub sequence: u64,
    /// The state it left.
    pub from: BreakerState,
    /// The state it entered.
    pub to: BreakerState,
    /// Why.
    pub reason: TransitionReason,
    /// How long calls are refused from now on, if they are.
    pub retry_after: Option<Duration>,
}

// === impl Ticket ===

impl AdmittedCall {
    /// As if the call had begun so much later.
    #[must_use]
    pub fn later_by(self, time: Duration) -> Self {
        Self {
            start: self.start + time,
            ..self
        }
    }
}

// === impl Machine ===

impl StateMachine {
    /// A closed one. The seed decides how much each open time is shortened.
    pub fn new(config: BreakerConfig, seed: u64) -> Self {
        Self {
            phase: Phase::closed(&config),
            config,
            since: Timestamp::ZERO,
            generation: 0,
            openings: 0,
            last_open_duration: Duration::ZERO,
            luck: fastrand::Rng::with_seed(seed),
            totals: CallTotals::default(),
        }
    }

    /// A call wants through.
    pub fn admit(&mut self, now: Timestamp) -> AdmissionDecision {
        match self.phase {
            Phase::Closed { .. } | Phase::Disabled => (Ok(self.ticket(now)), None),
            Phase::Open { until } => self.admit_when_open(until, now),
            Phase::HalfOpen(probes) => self.admit_when_half_open(probes, now),
            Phase::ForcedOpen => (Err(self.deny(now)), None),
        }
    }

    fn admit_when_open(&mut self, until: Timestamp, now: Timestamp) -> AdmissionDecision {
        if now < until {
            return (Err(self.deny(now)), None);
        }
        let change = self.enter(
            Phase::HalfOpen(Probes::first(now)),
            TransitionReason::OpenDurationElapsed,
            now,
        );
        (Ok(self.ticket(now)), Some(change))
    }

    fn admit_when_half_open(&mut self, probes: Probes, now: Timestamp) -> AdmissionDecision {
        if probes.started < self.config.settings().probes {
            self.phase = Phase::HalfOpen(probes.one_more(now));
            return (Ok(self.ticket(now)), None);
        }
        if now < probes.last_start + self.config.settings().probe_timeout {
            return (Err(self.deny(now)), None);
        }
        let change = self.open(TransitionReason::ProbesTimedOut, now);
        (Err(self.deny(now)), Some(change))
    }

    /// A call ended, and this is what its caller makes of it.
    pub fn finish(
        &mut self,
        ticket: AdmittedCall,
        outcome: BreakerOutcome,
        now: Timestamp,
    ) -> Option<StateChange> {
        let mark = self.mark(ticket, outcome, now);
        self.totals.count(mark);
        if ticket.generation != self.generation {
            return None;
        }
        match (&mut self.phase, mark) {
            (Phase::Closed { .. }, Some(mark)) => self.finish_when_closed(mark, now),
            (Phase::HalfOpen(probes), Some(mark)) => {
                probes.answered(mark);
                let verdict = probes.verdict(self.config.settings());
                self.follow(verdict, now)
            }
            (Phase::HalfOpen(probes), None) => {
                // It told nothing, so another may try in its place.
                probes.started = probes.started.saturating_sub(1);
                None
            }
            _ => None,
        }
    }

    /// A call was dropped before it ended. That it was slow is all one can say, and only if it was.
    pub fn abandon(&mut self, ticket: AdmittedCall, now: Timestamp) -> Option<StateChange> {
        let outcome = if self.is_slow(ticket, now) {
            BreakerOutcome::Slow
        } else {
            BreakerOutcome::Ignored
        };
        self.finish(ticket, outcome, now)
    }

    fn finish_when_closed(&mut self, mark: WindowEntry, now: Timestamp) -> Option<StateChange> {
        let Phase::Closed {
            window,
            consecutive_failures,
        } = &mut self.phase
        else {
            return None;
        };
        *consecutive_failures = if mark.failed {
            *consecutive_failures + 1
        } else {
            0
        };
        let counts = window.add(mark, now);
        let reason = rules::broken(self.config.settings(), counts, *consecutive_failures)?;
        Some(self.open(reason, now))
    }

    fn follow(&mut self, verdict: ProbeDecision, now: Timestamp) -> Option<StateChange> {
        match verdict {
            ProbeDecision::Undecided => None,
            ProbeDecision::Sick(reason) => Some(self.open(reason, now)),
            ProbeDecision::Healthy => {
                let closed = Phase::closed(&self.config);
                Some(self.enter(closed, TransitionReason::ProbesSucceeded, now))
            }
        }
    }

    /// An operator has every call refused from now on.
    pub fn force_open(&mut self, now: Timestamp) -> Option<StateChange> {
        let is_so = matches!(self.phase, Phase::ForcedOpen);
        (!is_so).then(|| self.enter(Phase::ForcedOpen, TransitionReason::Operator, now))
    }

    /// An operator lets every call through from now on.
    pub fn disable(&mut self, now: Timestamp) -> Option<StateChange> {
        let is_so = matches!(self.phase, Phase::Disabled);
        (!is_so).then(|| self.enter(Phase::Disabled, TransitionReason::Operator, now))
    }

    /// An operator has it begin anew: closed, with an empty window and no grudge.
    pub fn reset(&mut self, now: Timestamp) -> Option<StateChange> {
        let was_closed = matches!(self.phase, Phase::Closed { .. });
        self.openings = 0;
        let closed = Phase::closed(&self.config);
        let change = self.enter(closed, TransitionReason::Operator, now);
        (!was_closed).then_some(change)
    }

    /// What it does with calls.
    pub fn state(&self) -> BreakerState {
        self.phase.state()
    }

    /// How long calls will be refused; nothing while they go through.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let settings = self.config.settings();
        let time = match &self.phase {
            Phase::Closed { .. } | Phase::Disabled => return None,
            Phase::Open { until } => until.saturating_sub(now),
            Phase::HalfOpen(probes) if probes.started < settings.probes => return None,
            // The verdict may come at any moment; if it is bad, the breaker opens for at least its first time.
            Phase::HalfOpen(probes) => {
                let patience = (probes.last_start + settings.probe_timeout).saturating_sub(now);
                patience.min(settings.open_duration.initial)
            }
            // Nobody knows when the operator comes back.
            Phase::ForcedOpen => settings.open_duration.max,
        };
        (!time.is_zero()).then_some(time)
    }

    /// All there is to see of it.
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

    fn ticket(&self, now: Timestamp) -> AdmittedCall {
        AdmittedCall {
            generation: self.generation,
            start: now,
        }
    }

    fn deny(&mut self, now: Timestamp) -> RejectedCall {
        self.totals.refused += 1;
        RejectedCall {
            state: self.state(),
            retry_after: self.retry_after(now).unwrap_or_default(),
        }
    }

    /// Nothing, if the outcome says nothing about the service.
    fn mark(
        &self,
        ticket: AdmittedCall,
        outcome: BreakerOutcome,
        now: Timestamp,
    ) -> Option<WindowEntry> {
        let slow = self.is_slow(ticket, now);
        match outcome {
            BreakerOutcome::Success => Some(WindowEntry {
                failed: false,
                slow,
            }),
            BreakerOutcome::Slow => Some(WindowEntry {
                failed: false,
                slow: true,
            }),
            BreakerOutcome::Failure => Some(WindowEntry { failed: true, slow }),
            BreakerOutcome::Ignored => None,
        }
    }

    fn is_slow(&self, ticket: AdmittedCall, now: Timestamp) -> bool {
        let took = now.saturating_sub(ticket.start);
        self.config
            .settings()
            .slow_calls
            .is_some_and(|SlowCalls { after, .. }| took >= after)
    }

    /// Opens, for longer than before unless it had been closed for as long as it was last open.
    fn open(&mut self, reason: TransitionReason, now: Timestamp) -> StateChange {
        let was_closed = matches!(self.phase, Phase::Closed { .. });
        if was_closed && now.saturating_sub(self.since) >= self.last_open_duration {
            self.openings = 0;
        }
        self.openings = self.openings.saturating_add(1);
        let open_duration = self.config.settings().open_duration;
        self.last_open_duration = open_duration.draw(self.openings, self.luck.f64());
        let until = now + self.last_open_duration;
        self.enter(Phase::Open { until }, reason, now)
    }

    fn enter(&mut self, phase: Phase, reason: TransitionReason, now: Timestamp) -> StateChange {
        let from = self.phase.state();
        self.phase = phase;
        self.since = now;
        self.generation += 1;
        let retry_after = self.retry_after(now);
        StateChange {
            sequence: self.generation,
            from,
            to: self.state(),
            reason,
            retry_after,
        }
    }
}

// === impl Phase ===

impl Phase {
    fn closed(config: &BreakerConfig) -> Self {
        Self::Closed {
            window: Window::new(config.settings().window),
            consecutive_failures: 0,
        }
    }

    fn state(&self) -> BreakerState {
        match self {
            Self::Closed { .. } => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen(_) => BreakerState::HalfOpen,
            Self::ForcedOpen => BreakerState::ForcedOpen,
            Self::Disabled => BreakerState::Disabled,
        }
    }
}

#[cfg(test)]
mod properties;
mod saved_state;

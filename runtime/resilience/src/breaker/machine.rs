//! The state machine of a breaker, as a plain value: the time and the outcomes come in, decisions come out.
//!
//! It has no clock, no lock and no runtime, so that thousands of histories can be tried in a second. One method per
//! state says what happens to a call that wants through ([`Machine::admit`]) and to one that ended
//! ([`Machine::finish`]). Each change of state begins a new *era*, and a [`Ticket`] remembers the era it was given
//! in: a call that outlives its era no longer has a say, so stragglers of yesterday's outage neither trip a breaker
//! that has just closed nor stand in for the probes of a half-open one.

use std::time::Duration;

pub use memo::{Memo, PhaseMemo};

use super::config::{Config, SlowCalls};
use super::rules::{self, Probes, Verdict};
use super::snapshot::{Snapshot, Totals};
use super::transition::{Reason, State};
use super::window::{Counts, Mark, Window};
use super::{Outcome, Time};

/// A breaker as a plain value.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    phase: Phase,
    /// When the present state began.
    since: Time,
    /// Counts the changes of state.
    era: u64,
    /// How often it has opened in a row, which is what makes the open time grow.
    openings: u32,
    /// How long it was last told to stay open.
    last_open_time: Duration,
    luck: fastrand::Rng,
    totals: Totals,
}

/// The present state, with what only that state needs.
#[derive(Debug)]
enum Phase {
    Closed {
        window: Window,
        consecutive_failures: u32,
    },
    Open {
        until: Time,
    },
    HalfOpen(Probes),
    ForcedOpen,
    Disabled,
}

/// The right to make one call.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    era: u64,
    start: Time,
}

/// No call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Open, forced open, or half-open with all its probes under way.
    pub state: State,
    /// When it makes sense to try again.
    pub retry_after: Duration,
}

/// What becomes of a call, and of the breaker by it.
pub type Admission = (Result<Ticket, Denied>, Option<Change>);

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counts the changes from 1.
    pub sequence: u64,
    /// The state it left.
    pub from: State,
    /// The state it entered.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// How long calls are refused from now on, if they are.
    pub retry_after: Option<Duration>,
}

// === impl Ticket ===

impl Ticket {
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

impl Machine {
    /// A closed one. The seed decides how much each open time is shortened.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            phase: Phase::closed(&config),
            config,
            since: Time::ZERO,
            era: 0,
            openings: 0,
            last_open_time: Duration::ZERO,
            luck: fastrand::Rng::with_seed(seed),
            totals: Totals::default(),
        }
    }

    /// A call wants through.
    pub fn admit(&mut self, now: Time) -> Admission {
        match self.phase {
            Phase::Closed { .. } | Phase::Disabled => (Ok(self.ticket(now)), None),
            Phase::Open { until } => self.admit_when_open(until, now),
            Phase::HalfOpen(probes) => self.admit_when_half_open(probes, now),
            Phase::ForcedOpen => (Err(self.deny(now)), None),
        }
    }

    fn admit_when_open(&mut self, until: Time, now: Time) -> Admission {
        if now < until {
            return (Err(self.deny(now)), None);
        }
        let change = self.enter(
            Phase::HalfOpen(Probes::first(now)),
            Reason::OpenTimeOver,
            now,
        );
        (Ok(self.ticket(now)), Some(change))
    }

    fn admit_when_half_open(&mut self, probes: Probes, now: Time) -> Admission {
        if probes.started < self.config.settings().probes {
            self.phase = Phase::HalfOpen(probes.one_more(now));
            return (Ok(self.ticket(now)), None);
        }
        if now < probes.last_start + self.config.settings().probe_patience {
            return (Err(self.deny(now)), None);
        }
        let change = self.open(Reason::ProbesUnanswered, now);
        (Err(self.deny(now)), Some(change))
    }

    /// A call ended, and this is what its caller makes of it.
    pub fn finish(&mut self, ticket: Ticket, outcome: Outcome, now: Time) -> Option<Change> {
        let mark = self.mark(ticket, outcome, now);
        self.totals.count(mark);
        if ticket.era != self.era {
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
    pub fn abandon(&mut self, ticket: Ticket, now: Time) -> Option<Change> {
        let outcome = if self.is_slow(ticket, now) {
            Outcome::Slow
        } else {
            Outcome::Ignored
        };
        self.finish(ticket, outcome, now)
    }

    fn finish_when_closed(&mut self, mark: Mark, now: Time) -> Option<Change> {
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

    fn follow(&mut self, verdict: Verdict, now: Time) -> Option<Change> {
        match verdict {
            Verdict::Undecided => None,
            Verdict::Sick(reason) => Some(self.open(reason, now)),
            Verdict::Healthy => {
                let closed = Phase::closed(&self.config);
                Some(self.enter(closed, Reason::ProbesSucceeded, now))
            }
        }
    }

    /// An operator has every call refused from now on.
    pub fn force_open(&mut self, now: Time) -> Option<Change> {
        let is_so = matches!(self.phase, Phase::ForcedOpen);
        (!is_so).then(|| self.enter(Phase::ForcedOpen, Reason::Operator, now))
    }

    /// An operator lets every call through from now on.
    pub fn disable(&mut self, now: Time) -> Option<Change> {
        let is_so = matches!(self.phase, Phase::Disabled);
        (!is_so).then(|| self.enter(Phase::Disabled, Reason::Operator, now))
    }

    /// An operator has it begin anew: closed, with an empty window and no grudge.
    pub fn reset(&mut self, now: Time) -> Option<Change> {
        let was_closed = matches!(self.phase, Phase::Closed { .. });
        self.openings = 0;
        let closed = Phase::closed(&self.config);
        let change = self.enter(closed, Reason::Operator, now);
        (!was_closed).then_some(change)
    }

    /// What it does with calls.
    pub fn state(&self) -> State {
        self.phase.state()
    }

    /// How long calls will be refused; nothing while they go through.
    pub fn retry_after(&self, now: Time) -> Option<Duration> {
        let settings = self.config.settings();
        let time = match &self.phase {
            Phase::Closed { .. } | Phase::Disabled => return None,
            Phase::Open { until } => until.saturating_sub(now),
            Phase::HalfOpen(probes) if probes.started < settings.probes => return None,
            // The verdict may come at any moment; if it is bad, the breaker opens for at least its first time.
            Phase::HalfOpen(probes) => {
                let patience = (probes.last_start + settings.probe_patience).saturating_sub(now);
                patience.min(settings.open_time.first)
            }
            // Nobody knows when the operator comes back.
            Phase::ForcedOpen => settings.open_time.longest,
        };
        (!time.is_zero()).then_some(time)
    }

    /// All there is to see of it.
    pub fn snapshot(&mut self, now: Time) -> Snapshot {
        let (window, consecutive_failures) = match &mut self.phase {
            Phase::Closed {
                window,
                consecutive_failures,
            } => (window.counts(now), *consecutive_failures),
            _ => (Counts::default(), 0),
        };
        Snapshot {
            state: self.state(),
            since: now.saturating_sub(self.since),
            retry_after: self.retry_after(now),
            window,
            consecutive_failures,
            openings: self.openings,
            totals: self.totals,
        }
    }

    fn ticket(&self, now: Time) -> Ticket {
        Ticket {
            era: self.era,
            start: now,
        }
    }

    fn deny(&mut self, now: Time) -> Denied {
        self.totals.refused += 1;
        Denied {
            state: self.state(),
            retry_after: self.retry_after(now).unwrap_or_default(),
        }
    }

    /// Nothing, if the outcome says nothing about the service.
    fn mark(&self, ticket: Ticket, outcome: Outcome, now: Time) -> Option<Mark> {
        let slow = self.is_slow(ticket, now);
        match outcome {
            Outcome::Success => Some(Mark {
                failed: false,
                slow,
            }),
            Outcome::Slow => Some(Mark {
                failed: false,
                slow: true,
            }),
            Outcome::Failure => Some(Mark { failed: true, slow }),
            Outcome::Ignored => None,
        }
    }

    fn is_slow(&self, ticket: Ticket, now: Time) -> bool {
        let took = now.saturating_sub(ticket.start);
        self.config
            .settings()
            .slow_calls
            .is_some_and(|SlowCalls { after, .. }| took >= after)
    }

    /// Opens, for longer than before unless it had been closed for as long as it was last open.
    fn open(&mut self, reason: Reason, now: Time) -> Change {
        let was_closed = matches!(self.phase, Phase::Closed { .. });
        if was_closed && now.saturating_sub(self.since) >= self.last_open_time {
            self.openings = 0;
        }
        self.openings = self.openings.saturating_add(1);
        let open_time = self.config.settings().open_time;
        self.last_open_time = open_time.draw(self.openings, self.luck.f64());
        let until = now + self.last_open_time;
        self.enter(Phase::Open { until }, reason, now)
    }

    fn enter(&mut self, phase: Phase, reason: Reason, now: Time) -> Change {
        let from = self.phase.state();
        self.phase = phase;
        self.since = now;
        self.era += 1;
        let retry_after = self.retry_after(now);
        Change {
            sequence: self.era,
            from,
            to: self.state(),
            reason,
            retry_after,
        }
    }
}

// === impl Phase ===

impl Phase {
    fn closed(config: &Config) -> Self {
        Self::Closed {
            window: Window::new(config.settings().window),
            consecutive_failures: 0,
        }
    }

    fn state(&self) -> State {
        match self {
            Self::Closed { .. } => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen(_) => State::HalfOpen,
            Self::ForcedOpen => State::ForcedOpen,
            Self::Disabled => State::Disabled,
        }
    }
}

mod memo;
#[cfg(test)]
mod properties;

//! How many calls a service takes at once: a plain value that learns from when calls begin and how they end.
//!
//! A call is *quiet* if it began while no more than the minimum ran. What quiet calls take is the baseline. A service
//! under load has none; then, and only then, the limit is pinned to the minimum until there are enough of them
//! ([`Phase::Measuring`]).

use std::time::Duration;

use super::{Outcome, Settings, Snapshot};
use crate::Priority;

/// Time since the estimator was made.
pub(super) type Time = Duration;

#[derive(Debug)]
pub(super) struct Estimator {
    settings: Settings,
    /// The limit as a fraction, so that small steps add up.
    limit: f64,
    /// What a quiet call takes, in seconds.
    baseline: Option<f64>,
    /// When there was last a baseline or an attempt at one.
    measured: Time,
    phase: Phase,
    window: Window,
    running: usize,
    admitted: u64,
    refused: [u64; Priority::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Adapting,
    /// The limit is the minimum, until enough quiet calls have ended or it has taken too long.
    Measuring {
        resume: f64,
        until: Time,
    },
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    start: Time,
    is_quiet: bool,
}

/// What ended since the limit was last adapted.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: Time,
    all: Average,
    quiet: Average,
    lost: u32,
    most_running: usize,
}

/// Calls and the seconds they took together.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    calls: u32,
    seconds: f64,
}

/// How far the baseline moves towards calls that were quiet by chance: they may have been special.
const BY_CHANCE: f64 = 0.2;

/// The most that one window may take away: the rest may be an outlier.
const LEAST_FACTOR: f64 = 0.5;

/// What is left at most after a window in which any call was lost.
const LOST_FACTOR: f64 = 0.9;

/// A measurement ends after so many windows, whatever it has found.
const PATIENCE: u32 = 10;

// === impl Estimator ===

impl Estimator {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            limit: settings.initial as f64,
            baseline: None,
            measured: Time::ZERO,
            phase: Phase::Adapting,
            window: Window::default(),
            running: 0,
            admitted: 0,
            refused: Default::default(),
        }
    }

    /// Lets a call in, or tells how many run and how many may.
    pub fn admit(&mut self, priority: Priority, now: Time) -> Result<Ticket, (usize, usize)> {
        let allowance = self.allowance(priority);
        if self.running < allowance {
            return Ok(self.enter(now));
        }
        self.refused[priority.index()] += 1;
        Err((self.running, allowance))
    }

    /// A call begins.
    pub fn enter(&mut self, now: Time) -> Ticket {
        self.admitted += 1;
        self.running += 1;
        self.window.most_running = self.window.most_running.max(self.running);
        Ticket {
            start: now,
            is_quiet: self.running <= self.settings.minimum,
        }
    }

    /// A call ends. Tells the new limit if that brought one about.
    pub fn leave(&mut self, ticket: Ticket, outcome: Outcome, now: Time) -> Option<usize> {
        self.running -= 1;
        self.window.count(ticket, outcome, now);
        let before = self.limit();
        match self.phase {
            Phase::Measuring { resume, until } => self.measure(resume, until, now),
            Phase::Adapting => self.adapt(now),
        }
        (self.limit() != before).then(|| self.limit())
    }

    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// How many calls may run before one of this priority is refused. The least gets one place even so.
    fn allowance(&self, priority: Priority) -> usize {
        let steps = Priority::Paying.index() - priority.index();
        let percent = 100 - steps * usize::from(self.settings.headroom);
        (self.limit() * percent / 100).max(1)
    }

    fn adapt(&mut self, now: Time) {
        let Settings {
            window, samples, ..
        } = self.settings;
        if now < self.window.start + window || self.window.ended() < samples {
            return;
        }
        let over = std::mem::replace(&mut self.window, Window::starting(now, self.running));
        self.learn_by_chance(&over, now);
        let factor = self.factor(&over);
        if self.is_in_doubt(&over, factor, now) {
            return self.start_measuring(now);
        }
        if factor < 1.0 {
            self.limit = self.bounded(self.limit * factor);
        } else if self.is_in_use(&over) {
            self.limit = self.bounded(self.limit + self.limit.sqrt());
        }
    }

    /// By what the limit is to be multiplied; 1 if nothing speaks against more.
    fn factor(&self, over: &Window) -> f64 {
        if over.lost > 0 {
            let answered = f64::from(over.all.calls) / f64::from(over.ended());
            return answered.clamp(LEAST_FACTOR, LOST_FACTOR);
        }
        let (Some(baseline), Some(average)) = (self.baseline, over.all.get()) else {
            return 1.0;
        };
        let tolerable = self.settings.tolerance * baseline;
        if average <= tolerable || !self.is_in_use(over) {
            return 1.0;
        }
        (tolerable / average).max(LEAST_FACTOR)
    }

    /// Whether a good part of the limit was used; if not, it has no part in how long calls took.
    fn is_in_use(&self, over: &Window) -> bool {
        over.most_running * 2 >= self.limit()
    }

    /// Whether the limit does shed load, by a baseline that is unknown, or old and exceeded.
    fn is_in_doubt(&self, over: &Window, factor: f64, now: Time) -> bool {
        let is_old = factor < 1.0 && now >= self.measured + self.settings.remeasure;
        over.most_running >= self.limit() && (self.baseline.is_none() || is_old)
    }

    fn start_measuring(&mut self, now: Time) {
        let resume = std::mem::replace(&mut self.limit, self.settings.minimum as f64);
        self.phase = Phase::Measuring {
            resume,
            until: now + self.settings.window * PATIENCE,
        };
    }

    /// Calls may have been quiet without being made to; and no load makes calls faster than the baseline.
    fn learn_by_chance(&mut self, over: &Window, now: Time) {
        let quiet = over
            .quiet
            .get()
            .filter(|_| over.quiet.calls >= self.settings.samples);
        if let Some(quiet) = quiet {
            let baseline = self.baseline.get_or_insert(quiet);
            *baseline += (quiet - *baseline) * BY_CHANCE;
            self.measured = now;
        }
        if let (Some(baseline), Some(average)) = (&mut self.baseline, over.all.get()) {
            *baseline += (average - *baseline).min(0.0) * BY_CHANCE;
        }
    }

    fn measure(&mut self, resume: f64, until: Time, now: Time) {
        let is_enough = self.window.quiet.calls >= self.settings.samples;
        if !is_enough && now < until {
            return;
        }
        if let Some(quiet) = self.window.quiet.get().filter(|_| is_enough) {
            self.baseline = Some(quiet);
        }
        self.measured = now;
        self.limit = resume;
        self.phase = Phase::Adapting;
        self.window = Window::starting(now, self.running);
    }

    fn bounded(&self, limit: f64) -> f64 {
        limit.clamp(self.settings.minimum as f64, self.settings.maximum as f64)
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            limit: self.limit(),
            running: self.running,
            baseline: self.baseline.map(Duration::from_secs_f64),
            admitted: self.admitted,
            refused: self.refused,
        }
    }
}

// === impl Ticket ===

impl Ticket {
    /// As if the call had begun so much later.
    pub fn later_by(self, time: Duration) -> Self {
        Self {
            start: self.start + time,
            ..self
        }
    }
}

#[cfg(test)]
impl Ticket {
    pub fn start(self) -> Time {
        self.start
    }
}

// === impl Window ===

impl Window {
    fn starting(now: Time, running: usize) -> Self {
        Self {
            start: now,
            most_running: running,
            ..Self::default()
        }
    }

    fn count(&mut self, ticket: Ticket, outcome: Outcome, now: Time) {
        match outcome {
            Outcome::Ignored => {}
            Outcome::Lost => self.lost += 1,
            Outcome::Answered => {
                let took = now.saturating_sub(ticket.start);
                self.all.add(took);
                if ticket.is_quiet {
                    self.quiet.add(took);
                }
            }
        }
    }

    fn ended(&self) -> u32 {
        self.all.calls + self.lost
    }
}

// === impl Average ===

impl Average {
    fn add(&mut self, took: Duration) {
        self.calls += 1;
        self.seconds += took.as_secs_f64();
    }

    fn get(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.seconds / f64::from(self.calls))
    }
}

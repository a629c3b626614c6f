//! How many calls a service takes at once: a plain value that learns from when calls begin and how they end.
//!
//! A call is *quiet* if it began while no more than the minimum ran. What quiet calls take is the baseline. A service
//! under load has none; then, and only then, the limit is pinned to the minimum until there are enough of them
//! ([`Phase::Measuring`]).

use std::time::Duration;

use super::{LimitOutcome, LimitSettings};

/// Time since the estimator was made.
pub(super) type Time = Duration;

#[derive(Debug)]
pub(super) struct Estimator {
    settings: LimitSettings,
    /// The limit as a fraction, so that small steps add up.
    limit: f64,
    /// What a quiet call takes, in seconds.
    baseline: Option<f64>,
    /// Since when calls have taken too long, or when the baseline was last measured during that.
    exceeded: Option<Time>,
    /// When the limit was last in use.
    used: Time,
    phase: Phase,
    window: Window,
    running: usize,
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
pub(super) struct ObservedCall {
    start: Time,
    is_quiet: bool,
}

/// What ended since the limit was last adapted.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: Time,
    all: Average,
    quiet: Average,
    dropped: u32,
    most_running: usize,
}

/// Calls and the seconds they took together.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    calls: u32,
    seconds: f64,
}

/// How far the baseline moves down towards calls that were quiet by chance: they may have been special.
const DOWN_BY_CHANCE: f64 = 0.2;

/// How far it moves up: something else may have kept them waiting.
const UP_BY_CHANCE: f64 = 0.02;

/// Below this part of what is tolerable above the baseline, nothing speaks against twice as many calls.
const SLOW_START: f64 = 0.5;

/// What one window may add otherwise, one call at most: few calls feel each one more.
const STEP: f64 = 0.125;

/// The most that one window may take away: the rest may be an outlier.
const LEAST_FACTOR: f64 = 0.5;

/// What is left at most after a window in which any call was lost.
const LOST_FACTOR: f64 = 0.9;

/// A measurement ends after so many windows, whatever it has found; and then few calls are enough to adapt.
const PATIENCE: u32 = 10;

// === impl Estimator ===

impl Estimator {
    pub fn new(settings: LimitSettings) -> Self {
        Self {
            settings,
            limit: settings.initial as f64,
            baseline: None,
            exceeded: None,
            used: Time::ZERO,
            phase: Phase::Adapting,
            window: Window::default(),
            running: 0,
        }
    }

    /// A call begins.
    pub fn enter(&mut self, now: Time) -> ObservedCall {
        self.running += 1;
        if now >= self.used + self.settings.remeasure_after {
            self.forget(now);
        }
        self.note_use(now);
        self.window.most_running = self.window.most_running.max(self.running);
        ObservedCall {
            start: now,
            is_quiet: self.running <= self.settings.minimum,
        }
    }

    /// A call ends.
    pub fn leave(&mut self, ticket: ObservedCall, outcome: LimitOutcome, now: Time) {
        self.note_use(now);
        self.running -= 1;
        let is_quiet = ticket.is_quiet
            && match self.phase {
                Phase::Adapting => true,
                // What began before has had company since.
                Phase::Measuring { .. } => ticket.start >= self.window.start,
            };
        self.window
            .count(ObservedCall { is_quiet, ..ticket }, outcome, now);
        match self.phase {
            Phase::Measuring { resume, until } => self.measure(resume, until, now),
            Phase::Adapting => self.adapt(now),
        }
    }

    fn note_use(&mut self, now: Time) {
        if self.running * 2 >= self.limit() {
            self.used = now;
        }
    }

    /// What was found out about a limit that nobody has reached for long is not known any more.
    fn forget(&mut self, now: Time) {
        let is_fresh = now < self.window.start + self.settings.remeasure_after;
        let most = match is_fresh {
            true => self.window.most_running,
            false => self.running,
        };
        let initial = self.settings.initial as f64;
        if self.running == 1 {
            self.limit = initial;
            self.exceeded = None;
            self.phase = Phase::Adapting;
            self.window = Window::starting(now, self.running);
        } else {
            self.limit = self.limit.min(initial.max(most as f64 * 2.0));
        }
    }

    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    fn adapt(&mut self, now: Time) {
        let LimitSettings {
            window, samples, ..
        } = self.settings;
        let is_over = now >= self.window.start + window && self.window.ended() >= samples;
        let are_rare = now >= self.window.start + window * PATIENCE
            && self.window.ended() as usize >= self.limit();
        if !is_over && !are_rare {
            return;
        }
        let over = std::mem::replace(&mut self.window, Window::starting(now, self.running));
        self.learn_by_chance(&over);
        let factor = self.factor(&over);
        self.exceeded = match factor < 1.0 {
            true => self.exceeded.or(Some(now)),
            false => None,
        };
        if self.is_in_doubt(&over, now) {
            return self.start_measuring(now);
        }
        if factor < 1.0 {
            self.limit = self.bounded(self.limit * factor);
        } else if self.is_in_use(&over) {
            let more = match self.is_at_ease(&over) {
                true => self.limit * 2.0,
                false => self.limit + (self.limit * STEP).min(1.0),
            };
            self.limit = self.bounded(more);
        }
    }

    /// By what the limit is to be multiplied; 1 if nothing speaks against more.
    fn factor(&self, over: &Window) -> f64 {
        if over.dropped > 0 {
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

    /// Whether calls hardly wait for each other.
    fn is_at_ease(&self, over: &Window) -> bool {
        let (Some(baseline), Some(average)) = (self.baseline, over.all.get()) else {
            return false;
        };
        average <= baseline * (1.0 + (self.settings.tolerance - 1.0) * SLOW_START)
    }

    /// Whether the limit does shed load, by a baseline that is unknown, or was exceeded for long.
    fn is_in_doubt(&self, over: &Window, now: Time) -> bool {
        let is_old = |since| now >= since + self.settings.remeasure_after;
        let is_doubtful = self.baseline.is_none() || self.exceeded.is_some_and(is_old);
        over.most_running >= self.limit() && is_doubtful
    }

    fn start_measuring(&mut self, now: Time) {
        let resume = std::mem::replace(&mut self.limit, self.settings.minimum as f64);
        self.phase = Phase::Measuring {
            resume,
            until: now + self.settings.window * PATIENCE,
        };
    }

    /// Calls may have been quiet without being made to; and no load makes calls faster than the baseline.
    fn learn_by_chance(&mut self, over: &Window) {
        let quiet = over
            .quiet
            .get()
            .filter(|_| over.quiet.calls >= self.settings.samples);
        if let Some(quiet) = quiet {
            let baseline = self.baseline.get_or_insert(quiet);
            let pace = match quiet < *baseline {
                true => DOWN_BY_CHANCE,
                false => UP_BY_CHANCE,
            };
            *baseline += (quiet - *baseline) * pace;
        }
        if let (Some(baseline), Some(average)) = (&mut self.baseline, over.all.get()) {
            *baseline += (average - *baseline).min(0.0) * DOWN_BY_CHANCE;
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
        self.exceeded = self.exceeded.and(Some(now));
        self.limit = resume;
        self.phase = Phase::Adapting;
        self.window = Window::starting(now, self.running);
    }

    fn bounded(&self, limit: f64) -> f64 {
        limit.clamp(self.settings.minimum as f64, self.settings.maximum as f64)
    }
}

#[cfg(test)]
impl Estimator {
    pub fn running(&self) -> usize {
        self.running
    }

    pub fn baseline(&self) -> Option<Duration> {
        self.baseline.map(Duration::from_secs_f64)
    }
}

// === impl Ticket ===

impl ObservedCall {
    /// As if the call had begun so much later.
    pub fn later_by(self, time: Duration) -> Self {
        Self {
            start: self.start + time,
            ..self
        }
    }
}

#[cfg(test)]
impl ObservedCall {
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

    fn count(&mut self, ticket: ObservedCall, outcome: LimitOutcome, now: Time) {
        match outcome {
            LimitOutcome::Ignored => {}
            LimitOutcome::Dropped => self.dropped += 1,
            LimitOutcome::Success => {
                let took = now.saturating_sub(ticket.start);
                self.all.add(took);
                if ticket.is_quiet {
                    self.quiet.add(took);
                }
            }
        }
    }

    fn ended(&self) -> u32 {
        self.all.calls + self.dropped
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

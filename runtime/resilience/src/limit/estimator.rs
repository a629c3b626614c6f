//! The algorithm of the adaptive limit: a plain value that learns from when calls begin and how they end.
//!
//! A call is *unloaded* if at most the minimum limit of calls ran when it began. The average duration of unloaded calls
//! is the baseline. A service under load has no unloaded calls. Then, and only then, the limit is set to the minimum
//! until enough of them have ended ([`Phase::Measuring`]).

use std::mem;

use super::baseline::Baseline;
use super::outcome::LimitOutcome;
use super::settings::LimitSettings;
use super::window::{MeasuredCall, MeasurementWindow};
use crate::timestamp::Timestamp;

#[derive(Debug)]
pub(super) struct Estimator {
    settings: LimitSettings,
    /// The limit as a fraction, so that small steps add up.
    limit: f64,
    baseline: Baseline,
    /// Since when calls have taken too long, or when the baseline was last measured after that.
    exceeded_since: Option<Timestamp>,
    /// When at least half of the limit was last in use.
    last_used: Timestamp,
    phase: Phase,
    window: MeasurementWindow,
    running: usize,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Adapting,
    /// The limit is the minimum until enough unloaded calls have ended, or until `until`. Then it is `resume` again.
    Measuring {
        resume: f64,
        until: Timestamp,
    },
}

/// The limit doubles while the average is below this share of the way from the baseline to the tolerable average.
const DOUBLING_THRESHOLD: f64 = 0.5;

/// The growth of the limit in one window above that threshold, as a share of the limit and at most one call: where few
/// calls run, each additional one has a large effect.
const LINEAR_GROWTH: f64 = 0.125;

/// The strongest reduction of the limit in one window: a stronger one may be caused by an outlier.
const MIN_FACTOR: f64 = 0.5;

/// The weakest reduction of the limit after a window with a dropped call.
const MAX_FACTOR_AFTER_DROP: f64 = 0.9;

/// The number of windows after which a measurement ends, whatever it found, and after which as many calls as the limit
/// are enough to adapt it.
const MAX_WINDOWS: u32 = 10;

// === impl Estimator ===

impl Estimator {
    pub fn new(settings: LimitSettings) -> Self {
        Self {
            settings,
            limit: settings.initial as f64,
            baseline: Baseline::default(),
            exceeded_since: None,
            last_used: Timestamp::ZERO,
            phase: Phase::Adapting,
            window: MeasurementWindow::default(),
            running: 0,
        }
    }

    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// A call begins.
    pub fn begin(&mut self, now: Timestamp) -> MeasuredCall {
        self.running += 1;
        if now >= self.last_used + self.settings.remeasure_after {
            self.forget(now);
        }
        self.note_use(now);
        self.window.max_running = self.window.max_running.max(self.running);
        MeasuredCall {
            start: now,
            is_unloaded: self.running <= self.settings.minimum,
        }
    }

    /// A call ends.
    pub fn end(&mut self, mut call: MeasuredCall, outcome: LimitOutcome, now: Timestamp) {
        self.note_use(now);
        self.running -= 1;
        // A call that began before the measurement has not run alone.
        let is_measuring = matches!(self.phase, Phase::Measuring { .. });
        call.is_unloaded &= !is_measuring || call.start >= self.window.start;
        self.window.record(call, outcome, now);
        match self.phase {
            Phase::Measuring { resume, until } => self.measure(resume, until, now),
            Phase::Adapting => self.adapt(now),
        }
    }

    fn note_use(&mut self, now: Timestamp) {
        if self.running * 2 >= self.limit() {
            self.last_used = now;
        }
    }

    /// Lowers a limit that has not been reached for long: the service may have changed since.
    fn forget(&mut self, now: Timestamp) {
        let initial = self.settings.initial as f64;
        if self.running == 1 {
            self.limit = initial;
            self.exceeded_since = None;
            self.phase = Phase::Adapting;
            self.window = MeasurementWindow::starting(now, self.running);
            return;
        }
        let is_recent = now < self.window.start + self.settings.remeasure_after;
        let max_running = match is_recent {
            true => self.window.max_running,
            false => self.running,
        };
        self.limit = self.limit.min(initial.max(max_running as f64 * 2.0));
    }

    fn adapt(&mut self, now: Timestamp) {
        if !self.is_window_over(now) {
            return;
        }
        let next = MeasurementWindow::starting(now, self.running);
        let window = mem::replace(&mut self.window, next);
        self.learn_baseline(&window);
        let factor = self.factor(&window);
        self.exceeded_since = match factor < 1.0 {
            true => self.exceeded_since.or(Some(now)),
            false => None,
        };
        if self.is_baseline_doubtful(&window, now) {
            return self.start_measuring(now);
        }
        if factor < 1.0 {
            self.set_limit(self.limit * factor);
        } else if self.is_in_use(&window) {
            self.set_limit(self.grown(&window));
        }
    }

    fn is_window_over(&self, now: Timestamp) -> bool {
        let LimitSettings {
            window, samples, ..
        } = self.settings;
        let age = now.saturating_sub(self.window.start);
        let ended = self.window.ended();
        let has_samples = age >= window && ended >= samples;
        // Where calls take long, few of them end.
        let is_late = age >= window * MAX_WINDOWS && ended as usize >= self.limit();
        has_samples || is_late
    }

    /// The factor by which the limit shrinks; 1 if it may grow.
    fn factor(&self, window: &MeasurementWindow) -> f64 {
        if window.dropped > 0 {
            let success_rate = f64::from(window.all.calls) / f64::from(window.ended());
            return success_rate.clamp(MIN_FACTOR, MAX_FACTOR_AFTER_DROP);
        }
        let (Some(baseline), Some(average)) = (self.baseline.seconds(), window.all.seconds())
        else {
            return 1.0;
        };
        let tolerable = self.settings.tolerance * baseline;
        if average <= tolerable || !self.is_in_use(window) {
            return 1.0;
        }
        (tolerable / average).max(MIN_FACTOR)
    }

    /// Whether at least half of the limit was in use. Otherwise the limit did not affect the duration of calls.
    fn is_in_use(&self, window: &MeasurementWindow) -> bool {
        window.max_running * 2 >= self.limit()
    }

    fn grown(&self, window: &MeasurementWindow) -> f64 {
        match self.is_far_below_tolerance(window) {
            true => self.limit * 2.0,
            false => self.limit + (self.limit * LINEAR_GROWTH).min(1.0),
        }
    }

    /// Whether calls hardly delay each other.
    fn is_far_below_tolerance(&self, window: &MeasurementWindow) -> bool {
        let (Some(baseline), Some(average)) = (self.baseline.seconds(), window.all.seconds())
        else {
            return false;
        };
        average <= baseline * (1.0 + (self.settings.tolerance - 1.0) * DOUBLING_THRESHOLD)
    }

    /// Whether the limit sheds load although the baseline is unknown, or has been exceeded for long.
    fn is_baseline_doubtful(&self, window: &MeasurementWindow, now: Timestamp) -> bool {
        let is_long_ago = |since| now >= since + self.settings.remeasure_after;
        let is_doubtful =
            self.baseline.seconds().is_none() || self.exceeded_since.is_some_and(is_long_ago);
        window.max_running >= self.limit() && is_doubtful
    }

    fn start_measuring(&mut self, now: Timestamp) {
        let resume = mem::replace(&mut self.limit, self.settings.minimum as f64);
        self.phase = Phase::Measuring {
            resume,
            until: now + self.settings.window * MAX_WINDOWS,
        };
    }

    /// Learns from calls that were unloaded by chance, and from all calls.
    fn learn_baseline(&mut self, window: &MeasurementWindow) {
        if window.unloaded.calls >= self.settings.samples
            && let Some(average) = window.unloaded.seconds()
        {
            self.baseline.learn_from_unloaded(average);
        }
        if let Some(average) = window.all.seconds() {
            self.baseline.learn_from_all(average);
        }
    }

    /// Ends the measurement once enough unloaded calls have ended, or its time is over.
    fn measure(&mut self, resume: f64, until: Timestamp, now: Timestamp) {
        let has_samples = self.window.unloaded.calls >= self.settings.samples;
        if !has_samples && now < until {
            return;
        }
        if has_samples && let Some(average) = self.window.unloaded.seconds() {
            self.baseline.set(average);
        }
        self.exceeded_since = self.exceeded_since.and(Some(now));
        self.limit = resume;
        self.phase = Phase::Adapting;
        self.window = MeasurementWindow::starting(now, self.running);
    }

    fn set_limit(&mut self, limit: f64) {
        let (minimum, maximum) = (self.settings.minimum as f64, self.settings.maximum as f64);
        self.limit = limit.clamp(minimum, maximum);
    }
}

#[cfg(test)]
impl Estimator {
    pub fn running(&self) -> usize {
        self.running
    }

    pub fn baseline(&self) -> Option<std::time::Duration> {
        let seconds = self.baseline.seconds();
        seconds.map(std::time::Duration::from_secs_f64)
    }
}

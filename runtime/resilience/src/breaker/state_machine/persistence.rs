//! Saving a state machine, and continuing from what was saved.
//!
//! A window of calls is saved call by call, so a machine that was restored and to which nothing happened saves the same
//! state again.

use std::time::Duration;

use super::super::config::{BreakerConfig, WindowSize};
use super::super::counts::{WindowCounts, WindowEntry};
use super::super::probes::Probes;
use super::super::saved_state::{SavedPhase, SavedState};
use super::super::window::Window;
use super::StateMachine;
use super::phase::Phase;
use crate::timestamp::Timestamp;

// === impl StateMachine ===

impl StateMachine {
    /// A state machine that continues from a saved state. A saved time too far in the future counts as elapsed.
    pub fn restore(config: BreakerConfig, seed: u64, saved: &SavedState, now: Timestamp) -> Self {
        let max_open = config.settings().open_duration.max;
        Self {
            phase: Phase::restore(&config, &saved.phase, now),
            since: timestamp(saved.since, now),
            generation: saved.generation,
            openings: saved.openings,
            last_open_duration: timestamp(saved.open_duration, max_open),
            ..Self::new(config, seed)
        }
    }

    /// The state from which another state machine can continue.
    pub fn save(&self) -> SavedState {
        SavedState {
            generation: self.generation,
            since: nanoseconds(self.since),
            openings: self.openings,
            open_duration: nanoseconds(self.last_open_duration),
            phase: self.phase.save(),
        }
    }
}

// === impl Phase ===

impl Phase {
    fn restore(config: &BreakerConfig, saved: &SavedPhase, now: Timestamp) -> Self {
        let settings = config.settings();
        match *saved {
            SavedPhase::Closed {
                ref calls,
                failures,
            } => Self::Closed {
                window: restore_window(settings.window, calls),
                consecutive_failures: failures,
            },
            SavedPhase::Open { until } => Self::Open {
                until: timestamp(until, now + settings.open_duration.max),
            },
            SavedPhase::HalfOpen {
                started,
                last_start,
                answered,
                failed,
                slow,
            } => Self::HalfOpen(Probes {
                started,
                last_start: timestamp(last_start, now + settings.probe_timeout),
                answers: WindowCounts {
                    calls: answered,
                    failed,
                    slow,
                },
            }),
            SavedPhase::ForcedOpen => Self::ForcedOpen,
            SavedPhase::Disabled => Self::Disabled,
        }
    }

    fn save(&self) -> SavedPhase {
        match self {
            Self::Closed {
                window,
                consecutive_failures,
            } => SavedPhase::Closed {
                calls: window.entries().map(letter).collect(),
                failures: *consecutive_failures,
            },
            Self::Open { until } => SavedPhase::Open {
                until: nanoseconds(*until),
            },
            Self::HalfOpen(probes) => save_probes(probes),
            Self::ForcedOpen => SavedPhase::ForcedOpen,
            Self::Disabled => SavedPhase::Disabled,
        }
    }
}

fn save_probes(probes: &Probes) -> SavedPhase {
    SavedPhase::HalfOpen {
        started: probes.started,
        last_start: nanoseconds(probes.last_start),
        answered: probes.answers.calls,
        failed: probes.answers.failed,
        slow: probes.answers.slow,
    }
}

fn restore_window(size: WindowSize, calls: &str) -> Window {
    let mut window = Window::new(size);
    if matches!(size, WindowSize::Calls(_)) {
        for letter in calls.chars() {
            window.add(entry(letter), Timestamp::ZERO);
        }
    }
    window
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The saved time; zero if it is after `latest`. The saved state may be damaged, or come from a clock that was ahead,
/// and neither may keep a breaker open.
fn timestamp(nanoseconds: u64, latest: Timestamp) -> Timestamp {
    let time = Duration::from_nanos(nanoseconds);
    if time <= latest {
        time
    } else {
        Timestamp::ZERO
    }
}

fn letter(entry: WindowEntry) -> char {
    match (entry.failed, entry.slow) {
        (false, false) => 'g',
        (true, false) => 'f',
        (false, true) => 's',
        (true, true) => 'b',
    }
}

fn entry(letter: char) -> WindowEntry {
    WindowEntry {
        failed: matches!(letter, 'f' | 'b'),
        slow: matches!(letter, 's' | 'b'),
    }
}

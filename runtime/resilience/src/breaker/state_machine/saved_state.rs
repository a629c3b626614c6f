//! What a breaker leaves behind, so that another can go on in its place: in a component, which may not live longer
//! than one call, or in another process.
//!
//! Times are nanoseconds since whatever moment the machine counts from; whoever remembers must count from the same one. A window of calls is kept call by call, oldest first, so that a machine to which nothing new happened
//! leaves the same memo. A window of time is not kept: it begins anew. Neither are the totals.

use super::super::config::WindowSize;
use super::super::window::{Window, WindowEntry};
use super::*;

/// What to remember of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedState {
    /// How often its state has changed.
    #[cfg_attr(feature = "serde", serde(rename = "era"))]
    pub generation: u64,
    /// When its state began.
    pub since: u64,
    /// How often it has opened in a row.
    pub openings: u32,
    /// How long it was last told to stay open.
    #[cfg_attr(feature = "serde", serde(rename = "open_time"))]
    pub open_duration: u64,
    /// Its state.
    pub phase: SavedPhase,
}

/// The state, with what only that state needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum SavedPhase {
    /// Calls go through.
    Closed {
        /// The calls in the window, oldest first, a letter each: `g`ood, `f`ailed, `s`low, `b`oth of these.
        calls: String,
        /// Failures in a row.
        failures: u32,
    },
    /// Calls are refused.
    Open {
        /// Until when.
        until: u64,
    },
    /// A few calls go through as probes.
    HalfOpen {
        /// How many were started.
        started: u32,
        /// When the last one was.
        last_start: u64,
        /// How many were answered.
        answered: u32,
        /// How many of them failed.
        failed: u32,
        /// How many of them were slow.
        slow: u32,
    },
    /// An operator has every call refused.
    ForcedOpen,
    /// An operator lets every call through.
    Disabled,
}

// === impl Machine ===

impl StateMachine {
    /// One that goes on where another stopped. A time that lies too far ahead counts as over.
    pub fn restore(config: BreakerConfig, seed: u64, saved: &SavedState, now: Timestamp) -> Self {
        let phase = Phase::restore(&config, &saved.phase, now);
        Self {
            phase,
            since: time(saved.since, now),
            generation: saved.generation,
            openings: saved.openings,
            last_open_duration: time(saved.open_duration, config.settings().open_duration.max),
            ..Self::new(config, seed)
        }
    }

    /// What another needs to go on where this one is.
    pub fn save(&self) -> SavedState {
        SavedState {
            generation: self.generation,
            since: nanos(self.since),
            openings: self.openings,
            open_duration: nanos(self.last_open_duration),
            phase: self.phase.save(),
        }
    }
}

// === impl Phase ===

impl Phase {
    fn restore(config: &BreakerConfig, saved: &SavedPhase, now: Timestamp) -> Self {
        match *saved {
            SavedPhase::Closed {
                ref calls,
                failures,
            } => Self::Closed {
                window: window(config, calls),
                consecutive_failures: failures,
            },
            SavedPhase::Open { until } => {
                let latest = now + config.settings().open_duration.max;
                let until = time(until, latest);
                Self::Open { until }
            }
            SavedPhase::HalfOpen {
                started,
                last_start,
                answered,
                failed,
                slow,
            } => Self::HalfOpen(Probes {
                started,
                last_start: time(last_start, now + config.settings().probe_timeout),
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
                calls: window.marks().map(letter).collect(),
                failures: *consecutive_failures,
            },
            Self::Open { until } => SavedPhase::Open {
                until: nanos(*until),
            },
            Self::HalfOpen(Probes {
                started,
                last_start,
                answers,
            }) => SavedPhase::HalfOpen {
                started: *started,
                last_start: nanos(*last_start),
                answered: answers.calls,
                failed: answers.failed,
                slow: answers.slow,
            },
            Self::ForcedOpen => SavedPhase::ForcedOpen,
            Self::Disabled => SavedPhase::Disabled,
        }
    }
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The moment that was remembered, or one long past if it lies beyond `latest`: what was written may be damaged, or by
/// a clock that went ahead, and nothing may stay shut for that.
fn time(nanos: u64, latest: Timestamp) -> Timestamp {
    let time = Duration::from_nanos(nanos);
    if time <= latest {
        time
    } else {
        Timestamp::ZERO
    }
}

fn window(config: &BreakerConfig, calls: &str) -> Window {
    let size = config.settings().window;
    let mut window = Window::new(size);
    if matches!(size, WindowSize::Calls(_)) {
        for letter in calls.chars() {
            window.add(mark(letter), Timestamp::ZERO);
        }
    }
    window
}

fn letter(mark: WindowEntry) -> char {
    match (mark.failed, mark.slow) {
        (false, false) => 'g',
        (true, false) => 'f',
        (false, true) => 's',
        (true, true) => 'b',
    }
}

fn mark(letter: char) -> WindowEntry {
    WindowEntry {
        failed: matches!(letter, 'f' | 'b'),
        slow: matches!(letter, 's' | 'b'),
    }
}

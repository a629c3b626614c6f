//! What a breaker leaves behind, so that another can go on in its place: in a component, which may not live longer
//! than one call, or in another process.
//!
//! Times are nanoseconds since whatever moment the machine counts from; whoever remembers must count from the same one. A window of calls is kept call by call, oldest first, so that a machine to which nothing new happened
//! leaves the same memo. A window of time is not kept: it begins anew. Neither are the totals.

use super::super::config::WindowSize;
use super::super::window::{Mark, Window};
use super::*;

/// What to remember of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Memo {
    /// How often its state has changed.
    pub era: u64,
    /// When its state began.
    pub since: u64,
    /// How often it has opened in a row.
    pub openings: u32,
    /// How long it was last told to stay open.
    pub open_time: u64,
    /// Its state.
    pub phase: PhaseMemo,
}

/// The state, with what only that state needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum PhaseMemo {
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

impl Machine {
    /// One that goes on where another stopped. A time that lies too far ahead counts as over.
    pub fn restore(config: Config, seed: u64, memo: &Memo, now: Time) -> Self {
        let phase = Phase::restore(&config, &memo.phase, now);
        Self {
            phase,
            since: time(memo.since, now),
            era: memo.era,
            openings: memo.openings,
            last_open_time: time(memo.open_time, config.settings().open_time.longest),
            ..Self::new(config, seed)
        }
    }

    /// What another needs to go on where this one is.
    pub fn memo(&self) -> Memo {
        Memo {
            era: self.era,
            since: nanos(self.since),
            openings: self.openings,
            open_time: nanos(self.last_open_time),
            phase: self.phase.memo(),
        }
    }
}

// === impl Phase ===

impl Phase {
    fn restore(config: &Config, memo: &PhaseMemo, now: Time) -> Self {
        match *memo {
            PhaseMemo::Closed {
                ref calls,
                failures,
            } => Self::Closed {
                window: window(config, calls),
                consecutive_failures: failures,
            },
            PhaseMemo::Open { until } => {
                let latest = now + config.settings().open_time.longest;
                let until = time(until, latest);
                Self::Open { until }
            }
            PhaseMemo::HalfOpen {
                started,
                last_start,
                answered,
                failed,
                slow,
            } => Self::HalfOpen(Probes {
                started,
                last_start: time(last_start, now + config.settings().probe_patience),
                answers: Counts {
                    calls: answered,
                    failed,
                    slow,
                },
            }),
            PhaseMemo::ForcedOpen => Self::ForcedOpen,
            PhaseMemo::Disabled => Self::Disabled,
        }
    }

    fn memo(&self) -> PhaseMemo {
        match self {
            Self::Closed {
                window,
                consecutive_failures,
            } => PhaseMemo::Closed {
                calls: window.marks().map(letter).collect(),
                failures: *consecutive_failures,
            },
            Self::Open { until } => PhaseMemo::Open {
                until: nanos(*until),
            },
            Self::HalfOpen(Probes {
                started,
                last_start,
                answers,
            }) => PhaseMemo::HalfOpen {
                started: *started,
                last_start: nanos(*last_start),
                answered: answers.calls,
                failed: answers.failed,
                slow: answers.slow,
            },
            Self::ForcedOpen => PhaseMemo::ForcedOpen,
            Self::Disabled => PhaseMemo::Disabled,
        }
    }
}

fn nanos(time: Time) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The moment that was remembered, or one long past if it lies beyond `latest`: what was written may be damaged, or by
/// a clock that went ahead, and nothing may stay shut for that.
fn time(nanos: u64, latest: Time) -> Time {
    let time = Duration::from_nanos(nanos);
    if time <= latest { time } else { Time::ZERO }
}

fn window(config: &Config, calls: &str) -> Window {
    let size = config.settings().window;
    let mut window = Window::new(size);
    if matches!(size, WindowSize::Calls(_)) {
        for letter in calls.chars() {
            window.add(mark(letter), Time::ZERO);
        }
    }
    window
}

fn letter(mark: Mark) -> char {
    match (mark.failed, mark.slow) {
        (false, false) => 'g',
        (true, false) => 'f',
        (false, true) => 's',
        (true, true) => 'b',
    }
}

fn mark(letter: char) -> Mark {
    Mark {
        failed: matches!(letter, 'f' | 'b'),
        slow: matches!(letter, 's' | 'b'),
    }
}

//! An age without a clock that two hosts have to agree on: the time during which something has been seen unchanged.
//!
//! Each host that looks at a stored value adds the time since the last look, by its own clock. Clocks that differ are told
//! apart, so that the difference between two of them is not taken for time that has passed.

use events::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest time that one look adds to an age, in milliseconds: somewhat more than the interval of the host's
/// sweeps. It bounds the error when a clock is set forward.
const MAX_STEP: u64 = 6_000;
/// Two clocks that differ by less than this, in milliseconds, are taken for one.
const TOLERANCE: u64 = 1_000;
/// Number of clocks that are told apart.
const MAX_CLOCKS: usize = 4;

/// The looks at one value so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SightedAge(Vec<ClockSightings>);

/// The looks with one clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ClockSightings {
    /// Time of the last one, in milliseconds since the Unix epoch.
    last: u64,
    /// Time between the first and the last one, in milliseconds.
    seen: u64,
}

impl SightedAge {
    /// Adds a look at the time `now`, and returns the age.
    pub(crate) fn observe(&mut self, now: Timestamp) -> Duration {
        let now = now.as_millis();
        // A clock does not go back, so this look continues the latest one that is not in its future.
        let earlier = self.0.iter_mut();
        let earlier = earlier.filter(|clock| clock.last <= now + TOLERANCE);
        if let Some(clock) = earlier.max_by_key(|clock| clock.last) {
            clock.seen += now.saturating_sub(clock.last).min(MAX_STEP);
            clock.last = clock.last.max(now);
            return Duration::from_millis(clock.seen);
        }
        if self.0.len() == MAX_CLOCKS {
            self.0.remove(0);
        }
        self.0.push(ClockSightings { last: now, seen: 0 });
        Duration::ZERO
    }

    /// Whether nothing has been seen yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

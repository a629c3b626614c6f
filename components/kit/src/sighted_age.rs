//! An age without a clock that two hosts have to agree on: the time during which something has been seen unchanged.
//!
//! Each host that looks at a stored value adds the time since its own last look, by its own clock. Only looks of one clock are
//! compared, so that the difference between two of them is not taken for time that has passed.
//!
//! `socar` gives each host a name. Where hosts have none, clocks are told apart by the times they show, which is right for
//! two of them.

use events::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest time that one look adds to an age, in milliseconds: somewhat more than the interval of the host's
/// sweeps. It bounds the error when a clock is set forward.
const MAX_STEP: u64 = 6_000;
/// The same for an age of hours.
const MAX_STEP_OF_HOURS: u64 = 10 * 60 * 1000;
/// Two clocks without a name that differ by less than this, in milliseconds, are taken for one.
const TOLERANCE: u64 = 1_000;
/// Number of clocks that are told apart.
const MAX_CLOCKS: usize = 16;

/// The looks at one value so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SightedAge(Vec<ClockSightings>);

/// The looks with one clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ClockSightings {
    /// The host of the clock; empty if it has no name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    host: String,
    /// Time of the last one, in milliseconds since the Unix epoch.
    last: u64,
    /// Time between the first and the last one, in milliseconds.
    seen: u64,
}

impl SightedAge {
    /// Adds a look at the time `now` of this host, and returns the age.
    pub(crate) fn observe(&mut self, host: &str, now: Timestamp) -> Duration {
        self.look(host, now.as_millis(), MAX_STEP, 0)
    }

    /// Adds a look to an age of hours, which hosts that come and go share: a clock that is new, or that has not looked for a while,
    /// continues the age of the others.
    pub(crate) fn observe_hours(&mut self, host: &str, now: Timestamp) -> Duration {
        let seen = self.0.iter().map(|clock| clock.seen).max();
        let seen = seen.unwrap_or_default();
        self.look(host, now.as_millis(), MAX_STEP_OF_HOURS, seen)
    }

    /// Whether this host has looked within `interval`.
    pub(crate) fn is_recent(&self, host: &str, now: Timestamp, interval: Duration) -> bool {
        let mut looks = self.0.iter().filter(|clock| clock.host == host);
        looks.any(|clock| now.distance(Timestamp::from_millis(clock.last)) < interval)
    }

    /// Whether nothing has been seen yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn look(&mut self, host: &str, now: u64, max_step: u64, seen_by_others: u64) -> Duration {
        if let Some(clock) = self.clock(host, now) {
            let seen = clock.seen + now.saturating_sub(clock.last).min(max_step);
            clock.seen = seen.max(seen_by_others);
            clock.last = match host.is_empty() {
                true => clock.last.max(now),
                false => now,
            };
            return Duration::from_millis(clock.seen);
        }
        if self.0.len() >= MAX_CLOCKS {
            // Any clock can be one that is gone, so none is replaced by rule.
            let replaced = usize::try_from(now).unwrap_or_default() % self.0.len();
            self.0.remove(replaced);
        }
        self.0.push(ClockSightings {
            host: host.to_owned(),
            last: now,
            seen: seen_by_others,
        });
        Duration::from_millis(seen_by_others)
    }

    /// The clock of a host. A clock without a name is the latest one that is not in the future of this look, since a clock does
    /// not go back.
    fn clock(&mut self, host: &str, now: u64) -> Option<&mut ClockSightings> {
        let clocks = self.0.iter_mut().filter(|clock| clock.host == host);
        let clocks = clocks.filter(|clock| !host.is_empty() || clock.last <= now + TOLERANCE);
        clocks.max_by_key(|clock| clock.last)
    }
}

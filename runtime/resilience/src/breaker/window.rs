//! The sliding window of a closed breaker: the last calls, by number or by time.
//!
//! Both windows keep running totals. Adding a call and reading the counts therefore take constant time, whatever the
//! size of the window.

mod calls;
mod time;

use super::config::WindowSize;
use super::counts::{WindowCounts, WindowEntry};
use crate::timestamp::Timestamp;
use calls::CallWindow;
use time::TimeWindow;

#[derive(Debug)]
pub(super) enum Window {
    Calls(CallWindow),
    Time(TimeWindow),
}

impl Window {
    pub fn new(size: WindowSize) -> Self {
        match size {
            WindowSize::Calls(calls) => Self::Calls(CallWindow::new(calls)),
            WindowSize::Time(time) => Self::Time(TimeWindow::new(time)),
        }
    }

    /// Adds a call that ended now. Returns the counts with it.
    pub fn add(&mut self, entry: WindowEntry, now: Timestamp) -> WindowCounts {
        match self {
            Self::Calls(window) => window.add(entry),
            Self::Time(window) => window.add(entry, now),
        }
    }

    /// The calls in the window, the oldest first. A window of time keeps no single calls, so it has none.
    pub fn entries(&self) -> impl Iterator<Item = WindowEntry> {
        let (older, newer) = match self {
            Self::Calls(window) => window.entries(),
            Self::Time(_) => Default::default(),
        };
        older.iter().chain(newer).copied()
    }

    /// The counts of the calls that are in the window now.
    pub fn counts(&mut self, now: Timestamp) -> WindowCounts {
        match self {
            Self::Calls(window) => window.counts(),
            Self::Time(window) => window.counts(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::time::Duration;
    use time::STEPS;

    /// Counts the entries one by one.
    fn counted(entries: impl Iterator<Item = WindowEntry>) -> WindowCounts {
        let mut counts = WindowCounts::default();
        entries.for_each(|entry| counts.add(entry.into()));
        counts
    }

    fn entries() -> impl Strategy<Value = WindowEntry> {
        any::<(bool, bool)>().prop_map(|(failed, slow)| WindowEntry { failed, slow })
    }

    proptest! {
        #[test]
        fn a_window_of_calls_holds_the_most_recent_calls(size in 1..20_u32, calls in vec(entries(), 0..80)) {
            let mut window = Window::new(WindowSize::Calls(size));
            for (index, entry) in calls.iter().enumerate() {
                let counts = window.add(*entry, Timestamp::ZERO);
                let first = (index + 1).saturating_sub(size as usize);
                let held = &calls[first..=index];
                prop_assert_eq!(counts, counted(held.iter().copied()));
                prop_assert_eq!(window.counts(Timestamp::ZERO), counts);
                prop_assert!(window.entries().eq(held.iter().copied()));
            }
        }

        #[test]
        fn a_window_of_time_holds_the_steps_that_have_not_expired(
            step in 1..50_u64,
            calls in vec((0..120_u64, entries()), 0..80),
        ) {
            let mut window = Window::new(WindowSize::Time(Duration::from_nanos(step * STEPS)));
            let mut history = Vec::new();
            let mut now = 0;
            for (interval, entry) in calls {
                now += interval;
                let time = Duration::from_nanos(now);
                history.push((now / step, entry));
                let is_held = |(number, _): &&(u64, WindowEntry)| number + STEPS > now / step;
                let expected = counted(history.iter().filter(is_held).map(|(_, entry)| *entry));
                prop_assert_eq!(window.add(entry, time), expected);
                prop_assert_eq!(window.counts(time), expected);
            }
        }
    }

    #[test]
    fn an_earlier_timestamp_restores_no_expired_step() {
        let mut window = Window::new(WindowSize::Time(Duration::from_secs(10)));
        let failed = WindowEntry {
            failed: true,
            slow: false,
        };
        window.add(failed, Duration::from_secs(5));
        assert_eq!(window.add(failed, Duration::from_secs(3)).calls, 2);
        assert_eq!(window.counts(Duration::from_secs(14)).calls, 2);
        assert_eq!(window.counts(Duration::from_secs(15)).calls, 0);
    }
}

//! The calls that a breaker judges by: the last so many, or those of the last so long.
//!
//! Both keep running totals, so that adding a call and reading the rates take the same few steps however large the
//! window is.

use super::Timestamp;
use super::config::WindowSize;

/// What a window remembers of one call. A call may be both: it failed, and took long to do so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WindowEntry {
    pub failed: bool,
    pub slow: bool,
}

/// How many calls a window holds, and how many of them were bad in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCounts {
    /// All calls in the window.
    pub calls: u32,
    /// Those that failed.
    pub failed: u32,
    /// Those that were slow, whether they failed or not.
    pub slow: u32,
}

#[derive(Debug)]
pub(super) enum Window {
    Calls(CallWindow),
    Time(TimeWindow),
}

/// A ring of the last calls.
#[derive(Debug)]
pub(super) struct CallWindow {
    marks: Box<[WindowEntry]>,
    next: usize,
    counts: WindowCounts,
}

/// A ring of steps, each with the counts of the calls that fell into it.
#[derive(Debug)]
pub(super) struct TimeWindow {
    steps: [WindowCounts; STEPS as usize],
    /// How long one step is, in nanoseconds.
    step: u64,
    /// The number of the newest step since the beginning of time.
    newest: u64,
    counts: WindowCounts,
}

const STEPS: u64 = 10;

// === impl Window ===

impl Window {
    pub fn new(size: WindowSize) -> Self {
        match size {
            WindowSize::Calls(calls) => Self::Calls(CallWindow::new(calls)),
            WindowSize::Time(time) => Self::Time(TimeWindow::new(time)),
        }
    }

    /// Adds a call that ended now, and tells what the window holds with it.
    pub fn add(&mut self, mark: WindowEntry, now: Timestamp) -> WindowCounts {
        match self {
            Self::Calls(window) => window.add(mark),
            Self::Time(window) => window.add(mark, now),
        }
    }

    /// The calls that a window of calls holds, oldest first; a window of time does not know them apart.
    pub fn marks(&self) -> impl Iterator<Item = WindowEntry> {
        let (marks, next) = match self {
            Self::Calls(window) => (window.held(), window.next),
            Self::Time(_) => (&[][..], 0),
        };
        let (newest, oldest) = marks.split_at(next.min(marks.len()));
        oldest.iter().chain(newest).copied()
    }

    /// What the window holds now.
    pub fn counts(&mut self, now: Timestamp) -> WindowCounts {
        match self {
            Self::Calls(window) => window.counts,
            Self::Time(window) => window.turn_to(now),
        }
    }
}

// === impl CallWindow ===

impl CallWindow {
    fn new(calls: u32) -> Self {
        let marks = vec![WindowEntry::default(); calls as usize].into_boxed_slice();
        Self {
            marks,
            next: 0,
            counts: WindowCounts::default(),
        }
    }

    /// The places that are taken. The oldest call is in the next one to be written, or in the first.
    fn held(&self) -> &[WindowEntry] {
        &self.marks[..self.counts.calls as usize]
    }

    fn add(&mut self, mark: WindowEntry) -> WindowCounts {
        let is_full = self.counts.calls as usize == self.marks.len();
        let place = &mut self.marks[self.next];
        if is_full {
            self.counts.subtract(WindowCounts::of(*place));
        }
        *place = mark;
        self.counts.add(WindowCounts::of(mark));
        self.next = if self.next + 1 == self.marks.len() {
            0
        } else {
            self.next + 1
        };
        self.counts
    }
}

// === impl TimeWindow ===

impl TimeWindow {
    fn new(time: Timestamp) -> Self {
        let step = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / STEPS;
        Self {
            steps: [WindowCounts::default(); STEPS as usize],
            step: step.max(1),
            newest: 0,
            counts: WindowCounts::default(),
        }
    }

    fn add(&mut self, mark: WindowEntry, now: Timestamp) -> WindowCounts {
        self.turn_to(now);
        self.steps[(self.newest % STEPS) as usize].add(WindowCounts::of(mark));
        self.counts.add(WindowCounts::of(mark));
        self.counts
    }

    /// Forgets the steps that `now` leaves behind. A clock read by another thread a moment ago turns nothing back.
    fn turn_to(&mut self, now: Timestamp) -> WindowCounts {
        let number = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX) / self.step;
        let turns = number.saturating_sub(self.newest);
        for _ in 0..turns.min(STEPS) {
            self.newest += 1;
            let oldest = &mut self.steps[(self.newest % STEPS) as usize];
            self.counts.subtract(std::mem::take(oldest));
        }
        self.newest = self.newest.max(number);
        self.counts
    }
}

// === impl Counts ===

impl WindowCounts {
    pub(super) fn of(mark: WindowEntry) -> Self {
        Self {
            calls: 1,
            failed: u32::from(mark.failed),
            slow: u32::from(mark.slow),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    fn subtract(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }

    /// How many percent of the calls failed, rounded down.
    pub(super) fn failure_rate(&self) -> u8 {
        percent(self.failed, self.calls)
    }

    /// How many percent of the calls were slow, rounded down.
    pub(super) fn slow_rate(&self) -> u8 {
        percent(self.slow, self.calls)
    }
}

fn percent(part: u32, whole: u32) -> u8 {
    let percent = u64::from(part) * 100 / u64::from(whole.max(1));
    u8::try_from(percent).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::time::Duration;

    /// What a window must say about these calls, by looking at every one of them.
    fn counted(marks: impl Iterator<Item = WindowEntry>) -> WindowCounts {
        let mut counts = WindowCounts::default();
        for mark in marks {
            counts.calls += 1;
            counts.failed += u32::from(mark.failed);
            counts.slow += u32::from(mark.slow);
        }
        counts
    }

    fn marks() -> impl Strategy<Value = WindowEntry> {
        any::<(bool, bool)>().prop_map(|(failed, slow)| WindowEntry { failed, slow })
    }

    proptest! {
        #[test]
        fn a_window_of_calls_holds_the_last_so_many(size in 1..20_u32, calls in vec(marks(), 0..80)) {
            let mut window = Window::new(WindowSize::Calls(size));
            for (index, mark) in calls.iter().enumerate() {
                let seen = window.add(*mark, Timestamp::ZERO);
                let first = (index + 1).saturating_sub(size as usize);
                prop_assert_eq!(seen, counted(calls[first..=index].iter().copied()));
                prop_assert_eq!(window.counts(Timestamp::ZERO), seen);
            }
        }

        #[test]
        fn a_window_of_time_holds_the_steps_that_are_not_over(
            step in 1..50_u64,
            calls in vec((0..120_u64, marks()), 0..80),
        ) {
            let mut window = Window::new(WindowSize::Time(Duration::from_nanos(step * STEPS)));
            let mut history = Vec::new();
            let mut now = 0;
            for (pause, mark) in calls {
                now += pause;
                let time = Duration::from_nanos(now);
                history.push((now / step, mark));
                let present = |(number, _): &&(u64, WindowEntry)| number + STEPS > now / step;
                let expected = counted(history.iter().filter(present).map(|(_, mark)| *mark));
                prop_assert_eq!(window.add(mark, time), expected);
                prop_assert_eq!(window.counts(time), expected);
            }
        }
    }

    #[test]
    fn a_late_clock_turns_nothing_back() {
        let mut window = Window::new(WindowSize::Time(Duration::from_secs(10)));
        let bad = WindowEntry {
            failed: true,
            slow: false,
        };
        window.add(bad, Duration::from_secs(5));
        assert_eq!(window.add(bad, Duration::from_secs(3)).calls, 2);
        assert_eq!(window.counts(Duration::from_secs(14)).calls, 2);
        assert_eq!(window.counts(Duration::from_secs(15)).calls, 0);
    }

    #[test]
    fn rates_are_percentages_and_nothing_divides_by_nothing() {
        assert_eq!(WindowCounts::default().failure_rate(), 0);
        let counts = WindowCounts {
            calls: 3,
            failed: 2,
            slow: 3,
        };
        assert_eq!((counts.failure_rate(), counts.slow_rate()), (66, 100));
    }
}

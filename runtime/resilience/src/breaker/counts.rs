//! What a sliding window holds: one entry for each call, and the counts of all entries.

/// What a window keeps of one call. A call can be both failed and slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WindowEntry {
    pub failed: bool,
    pub slow: bool,
}

/// The number of calls in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCounts {
    /// All calls.
    pub calls: u32,
    /// The calls that failed.
    pub failed: u32,
    /// The calls that were slow, whether they failed or not.
    pub slow: u32,
}

impl WindowCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    pub(super) fn subtract(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }

    /// The percentage of failed calls, rounded down.
    pub(super) fn failure_rate(&self) -> u8 {
        percentage(self.failed, self.calls)
    }

    /// The percentage of slow calls, rounded down.
    pub(super) fn slow_rate(&self) -> u8 {
        percentage(self.slow, self.calls)
    }
}

impl From<WindowEntry> for WindowCounts {
    fn from(entry: WindowEntry) -> Self {
        Self {
            calls: 1,
            failed: u32::from(entry.failed),
            slow: u32::from(entry.slow),
        }
    }
}

fn percentage(part: u32, whole: u32) -> u8 {
    let percentage = u64::from(part) * 100 / u64::from(whole.max(1));
    u8::try_from(percentage).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_percentages_and_zero_without_calls() {
        assert_eq!(WindowCounts::default().failure_rate(), 0);
        let counts = WindowCounts {
            calls: 3,
            failed: 2,
            slow: 3,
        };
        assert_eq!((counts.failure_rate(), counts.slow_rate()), (66, 100));
    }
}

//! When a read starts.
//!
//! A stream that is appended to again and again would be read entry by entry: each read ends with the first entry that
//! comes. Reads at a distance bring several entries, whose handlers and acknowledgements then share their costs, too. An
//! entry after a pause is read at once.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two reads while entries keep coming.
const READ_INTERVAL: Duration = Duration::from_millis(5);

/// The number of reads that may start without a distance.
const BURST: u32 = 8;

/// The pace of the reads of one consumer, by the generic cell rate algorithm (ITU-T I.371).
#[derive(Default)]
pub(super) struct ReadPace {
    /// When the next read would start if all had their distance.
    theoretical_start: Option<Instant>,
}

impl ReadPace {
    /// The start of a read that is wanted now.
    pub fn next_start(&mut self, now: Instant) -> Instant {
        let theoretical = self.theoretical_start.map_or(now, |start| start.max(now));
        self.theoretical_start = Some(theoretical + READ_INTERVAL);
        let start = theoretical.checked_sub(READ_INTERVAL * BURST);
        start.map_or(now, |start| start.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_after_pauses_start_at_once() {
        let mut pace = ReadPace::default();
        let mut now = Instant::now();
        for _ in 0..4 * BURST {
            assert_eq!(pace.next_start(now), now);
            now += READ_INTERVAL;
        }
    }

    #[test]
    fn reads_without_a_pause_keep_their_distance_after_a_burst() {
        let mut pace = ReadPace::default();
        let began = Instant::now();
        let mut now = began;
        let mut starts = Vec::new();
        for _ in 0..4 * BURST {
            now = pace.next_start(now);
            starts.push(now - began);
        }
        let (burst, paced) = starts.split_at(BURST as usize + 1);
        assert!(burst.iter().all(Duration::is_zero), "{burst:?}");
        let distances = paced.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(
            distances.into_iter().all(|it| it == READ_INTERVAL),
            "{paced:?}"
        );
        // A pause allows the next burst.
        now += READ_INTERVAL * BURST;
        assert_eq!(pace.next_start(now), now);
        assert_eq!(pace.next_start(now), now);
    }
}

//! Limits log lines with the same cause, so that an outage or an overload does not fill the log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The time in which lines with the same cause are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// The number of causes that are told apart; beyond it, all further causes count as one.
const MAX_CAUSES: usize = 256;

/// The lines of each cause in its window.
pub struct LogLimiter {
    /// The number of lines with the same cause that a window admits.
    lines: u32,
    causes: Mutex<HashMap<String, CauseWindow>>,
}

struct CauseWindow {
    since: Instant,
    lines: u32,
    suppressed: u64,
}

// === impl LogLimiter ===

impl LogLimiter {
    /// Admits so many lines with the same cause in ten seconds.
    pub fn new(lines: u32) -> Self {
        Self {
            lines,
            causes: Mutex::default(),
        }
    }

    /// Whether a line about this cause is logged: if it is, the number of lines that were not since the last one.
    pub fn admit(&self, cause: &str) -> Option<u64> {
        self.admit_at(cause, Instant::now())
    }

    fn admit_at(&self, cause: &str, now: Instant) -> Option<u64> {
        let mut causes = self.causes.lock();
        let is_over = |window: &CauseWindow| now.duration_since(window.since) >= WINDOW;
        if causes.len() >= MAX_CAUSES && !causes.contains_key(cause) {
            causes.retain(|_, window| !is_over(window));
        }
        let key = match causes.len() < MAX_CAUSES || causes.contains_key(cause) {
            true => cause,
            false => "",
        };
        let window = causes.entry(key.to_owned()).or_insert(CauseWindow {
            since: now,
            lines: 0,
            suppressed: 0,
        });
        if is_over(window) {
            window.since = now;
            window.lines = 0;
        }
        if window.lines >= self.lines {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_has_a_few_lines_in_each_window() {
        let limiter = LogLimiter::new(2);
        let start = Instant::now();
        let admitted: Vec<_> = (0..5).map(|_| limiter.admit_at("a", start)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(limiter.admit_at("b", start), Some(0));
        assert_eq!(limiter.admit_at("a", start + WINDOW), Some(3));
        assert_eq!(limiter.admit_at("a", start + WINDOW), Some(0));
    }

    #[test]
    fn the_number_of_causes_is_bounded() {
        let limiter = LogLimiter::new(1);
        let start = Instant::now();
        for cause in 0..10 * MAX_CAUSES {
            limiter.admit_at(&cause.to_string(), start);
        }
        assert!(limiter.causes.lock().len() <= MAX_CAUSES + 1);
        assert_eq!(limiter.admit_at("new", start + WINDOW), Some(0));
    }
}

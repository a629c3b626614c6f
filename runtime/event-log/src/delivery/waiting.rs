//! What the log of the host says about events that wait: each cause once, until no event waits any more.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The number of rejections of one event in a row from which it counts as held back: a shorter wait is no news.
const TOLERATED_REJECTIONS: u32 = 3;

/// The delay of one attempt from which its event counts as held back.
const TOLERATED_DELAY: Duration = Duration::from_secs(2);

/// The most causes that are told apart until no event waits. The text of an error may differ each time.
const MAX_CAUSES: usize = 16;

/// The causes that were logged since everything was well.
#[derive(Debug, Default)]
pub(super) struct LoggedCauses(BTreeSet<String>);

/// The events of a subscription that wait because something is unavailable.
#[derive(Debug, Default)]
pub(super) struct WaitingEvents {
    /// The lanes whose first event waits.
    lanes: HashSet<Arc<str>>,
    causes: LoggedCauses,
}

// === impl LoggedCauses ===

impl LoggedCauses {
    /// Whether a line about this cause is to be logged.
    pub fn is_news(&mut self, cause: &str) -> bool {
        if self.0.len() >= MAX_CAUSES || self.0.contains(cause) {
            return false;
        }
        self.0.insert(cause.to_owned())
    }

    /// Ends an outage, and returns whether a line was logged about it.
    pub fn end(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }
}

// === impl WaitingEvents ===

impl WaitingEvents {
    /// The first event of the lane waits for `delay`, after so many rejections in a row. Returns whether the cause is to be
    /// logged.
    pub fn waits(
        &mut self,
        lane: &Arc<str>,
        rejections: u32,
        delay: Duration,
        cause: &str,
    ) -> bool {
        self.lanes.insert(lane.clone());
        let is_held_back = rejections >= TOLERATED_REJECTIONS || delay >= TOLERATED_DELAY;
        (is_held_back || !self.causes.0.is_empty()) && self.causes.is_news(cause)
    }

    /// The first event of the lane was tried, whatever came of it. Returns whether it is to be logged that no event waits any
    /// more.
    pub fn proceeds(&mut self, lane: &Arc<str>) -> bool {
        self.lanes.remove(lane);
        self.lanes.is_empty() && self.causes.end()
    }

    /// The queued events may be handled by another host.
    pub fn forget_lanes(&mut self) {
        self.lanes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn each_cause_is_logged_once_until_no_event_waits() {
        let [a, b] = ["a", "b"].map(Arc::<str>::from);
        let mut waiting = WaitingEvents::default();
        assert!(
            !waiting.waits(&a, 1, SHORT, "one"),
            "a short wait is no news"
        );
        assert!(!waiting.proceeds(&a));
        assert!(waiting.waits(&a, TOLERATED_REJECTIONS, SHORT, "one"));
        assert!(!waiting.waits(&a, TOLERATED_REJECTIONS + 1, SHORT, "one"));
        assert!(waiting.waits(&b, 1, SHORT, "two"), "the cause has changed");
        assert!(!waiting.proceeds(&a), "another event still waits");
        assert!(waiting.proceeds(&b));
        assert!(!waiting.proceeds(&b));
        assert!(
            waiting.waits(&b, 1, TOLERATED_DELAY, "one"),
            "after the end"
        );
        waiting.forget_lanes();
        assert!(waiting.proceeds(&a));
    }

    #[test]
    fn causes_that_differ_each_time_do_not_fill_the_log() {
        let mut causes = LoggedCauses::default();
        let logged = (0..100).filter(|number| causes.is_news(&number.to_string()));
        assert_eq!(logged.count(), MAX_CAUSES);
        assert!(causes.end() && causes.is_news("again"));
    }
}

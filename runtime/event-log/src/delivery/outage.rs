//! The pause of a subscription whose component is unavailable.
//!
//! Events of different lanes would otherwise each find out for themselves, and load a component that recovers. After
//! several rejections in a row the subscription starts no attempt for a while, then one; its success ends the pause.

use std::time::Duration;

use tokio::time::Instant;

/// The number of rejections in a row after which a subscription pauses.
const TOLERATED_REJECTIONS: u32 = 4;

/// Whether a component is known to be unavailable.
#[derive(Debug, Default)]
pub(super) struct ComponentOutage {
    rejections: u32,
    paused_until: Option<Instant>,
}

impl ComponentOutage {
    /// The component was unavailable. `delay` is the time until the next attempt at that event.
    pub fn rejected(&mut self, now: Instant, delay: Duration) {
        self.rejections = self.rejections.saturating_add(1);
        if self.rejections >= TOLERATED_REJECTIONS {
            self.paused_until = Some(now + delay);
        }
    }

    /// The component has run, whatever came of it.
    pub fn ran(&mut self) {
        self.rejections = 0;
        self.paused_until = None;
    }

    /// The number of attempts that may run at the same time, of at most `concurrency`.
    pub fn concurrency(&self, now: Instant, concurrency: usize) -> usize {
        match self.paused_until {
            None => concurrency,
            Some(until) if now < until => 0,
            // A probe.
            Some(_) => 1,
        }
    }

    /// The end of the pause.
    pub fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(2);

    #[test]
    fn a_component_that_stays_unavailable_gets_one_attempt_at_a_time() {
        let now = Instant::now();
        let mut outage = ComponentOutage::default();
        for _ in 1..TOLERATED_REJECTIONS {
            outage.rejected(now, DELAY);
            assert_eq!(outage.concurrency(now, 8), 8);
        }
        outage.rejected(now, DELAY);
        assert_eq!(outage.concurrency(now, 8), 0);
        assert_eq!(outage.concurrency(now + DELAY, 8), 1);
        outage.rejected(now + DELAY, DELAY * 2);
        assert_eq!(outage.concurrency(now + DELAY * 2, 8), 0);
        outage.ran();
        assert_eq!(outage.concurrency(now, 8), 8);
    }
}

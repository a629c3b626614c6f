//! How fast a guest may go on that computes without asking its host for anything.
//!
//! Every guest yields at each tick of the epoch, so that its neighbours get their turn. That alone would be unfair to
//! them: a call that is mostly waiting stands in line anew after each wait, behind everybody who only computes, and with
//! dozens of those a reservation of twenty milliseconds takes seconds. So whoever has computed for a while *toils*: all
//! who do share every processor but one, by resting between their ticks, and one is left for those who make progress.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use wasmtime::UpdateDeadline;

use crate::engine::TICK;

/// How many ticks a guest may compute before it is one who toils.
const SPRINT: u32 = 5;

/// Those who toil, in all stores of this process: it is its processors that they share.
static TOILING: AtomicUsize = AtomicUsize::new(0);

/// How a guest has been going on.
#[derive(Debug, Default)]
pub struct Pace {
    /// Since it last asked its host for anything.
    ticks: u32,
    toil: Option<Toil>,
}

/// One who toils, for as long as this is not dropped.
#[derive(Debug)]
struct Toil;

// === impl Pace ===

impl Pace {
    /// It asks its host for something.
    pub fn progress(&mut self) {
        *self = Self::default();
    }

    /// It has computed until the next tick, and goes on after what is returned.
    pub fn tick(&mut self) -> UpdateDeadline {
        self.ticks = self.ticks.saturating_add(1);
        if self.ticks <= SPRINT {
            return UpdateDeadline::Yield(1);
        }
        self.toil.get_or_insert_with(Toil::begin);
        let processors = available_parallelism().map_or(1, usize::from);
        let rest = rest(TOILING.load(Ordering::Relaxed), processors);
        match rest.is_zero() {
            true => UpdateDeadline::Yield(1),
            false => UpdateDeadline::YieldCustom(1, Box::pin(tokio::time::sleep(rest))),
        }
    }
}

/// How long each of so many rests after a tick of work, so that together they take every processor but one.
fn rest(toiling: usize, processors: usize) -> Duration {
    let shared = processors.saturating_sub(1).max(1);
    let others = toiling.saturating_sub(shared);
    TICK.mul_f64(others as f64 / shared as f64)
}

// === impl Toil ===

impl Toil {
    fn begin() -> Self {
        TOILING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Toil {
    fn drop(&mut self) {
        TOILING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_toil_share_every_processor_but_one() {
        for (toiling, processors, ticks) in [
            (1, 1, 0),
            (1, 2, 0),
            (2, 2, 1),
            (33, 2, 32),
            (3, 4, 0),
            (6, 4, 1),
        ] {
            assert_eq!(
                rest(toiling, processors),
                TICK * ticks,
                "{toiling} on {processors}"
            );
        }
    }

    #[test]
    fn who_asks_for_something_does_not_toil() {
        let mut pace = Pace::default();
        for _ in 0..3 * SPRINT {
            pace.progress();
            pace.tick();
            assert!(pace.toil.is_none());
        }
        for _ in 0..=SPRINT {
            pace.tick();
        }
        assert!(pace.toil.is_some());
        pace.progress();
        assert!(pace.toil.is_none());
    }
}

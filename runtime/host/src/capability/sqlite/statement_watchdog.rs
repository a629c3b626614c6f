//! Interrupts a statement at its deadline, and hands over the thread of one that takes long.
//!
//! Most statements take some ten microseconds, and end where they are called. SQLite cannot suspend one that takes
//! longer, so that after its [`QUANTUM`] its thread ceases to be one of the runtime's: another takes over its tasks, and the
//! statement goes on beside them. From then on it *toils* like a guest that only computes ([`crate::cpu_throttle`]):
//! all who do leave one processor to the others. And it is ended when its caller's time is over.
//!
//! *Rejected*: a thread for each statement from its beginning, which costs the common one as much as its work; a pool,
//! in which a few endless statements keep out all others.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::cpu_throttle::CpuBound;

/// Virtual machine steps between two looks at the clock.
pub(super) const STEPS_PER_CHECK: i32 = 10_000;

/// How long a statement keeps its thread: handing it over costs as much as some hundred statements.
const QUANTUM: Duration = Duration::from_millis(10);

/// The least rest: time enough for another thread to take over.
const MIN_REST: Duration = Duration::from_millis(1);

/// One statement at work.
pub(super) struct StatementWatchdog {
    deadline: Instant,
    /// Since it last rested.
    since: Instant,
    cpu_bound: Option<CpuBound>,
}

// === impl StatementWatchdog ===

impl StatementWatchdog {
    pub fn begin(deadline: Instant) -> Self {
        Self {
            deadline,
            since: Instant::now(),
            cpu_bound: None,
        }
    }

    /// To be asked every few steps: whether the statement is to be ended.
    pub fn must_interrupt(&mut self) -> bool {
        let now = Instant::now();
        if now < self.deadline && now >= self.since + QUANTUM {
            let cpu_bound = self.cpu_bound.get_or_insert_with(CpuBound::begin);
            let rest = cpu_bound.rest_after(QUANTUM);
            let left = self.deadline - now;
            step_aside(rest.max(MIN_REST).min(left));
            self.since = Instant::now();
        }
        Instant::now() >= self.deadline
    }
}

/// Rests while another thread does what this one would have to do for the runtime, and goes on doing so.
fn step_aside(rest: Duration) {
    let handle = Handle::try_current();
    if handle.is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread) {
        tokio::task::block_in_place(|| std::thread::sleep(rest));
    }
}

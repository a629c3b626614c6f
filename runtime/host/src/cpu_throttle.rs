//! Slows down guests that only compute.
//!
//! Every guest yields at each tick of the epoch, so that others run. That alone is unfair: a call that mostly waits
//! queues again after each wait, behind all guests that only compute, and with dozens of them a reservation of twenty
//! milliseconds takes seconds. So a guest that has computed for more than its quantum is *CPU-bound*. All CPU-bound
//! guests share every processor but one, by pausing between their ticks; the other processor is left for guests that
//! make progress.
//!
//! A guest waits when it has nothing to do, which the code that polls its instance sees ([`CpuThrottle::watch`]). A
//! host call that returns at once is no wait: a guest that reads the clock in a loop is CPU-bound like any other.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::available_parallelism;
use std::time::Duration;

use parking_lot::Mutex;
use wasmtime::UpdateDeadline;

use crate::engine::{TICK, note_busy_guest};

/// The quantum: the ticks that a guest may compute before it is CPU-bound.
const QUANTUM_TICKS: u32 = 5;

/// The CPU-bound guests in all stores of this process, which share its processors.
static CPU_BOUND: AtomicUsize = AtomicUsize::new(0);

/// The throttle of one guest. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct CpuThrottle(Arc<Mutex<ThrottleState>>);

#[derive(Debug, Default)]
struct ThrottleState {
    /// Ticks since the last wait.
    ticks: u32,
    /// Whether it yielded at a tick, and continues by itself.
    yields: bool,
    cpu_bound: Option<CpuBound>,
}

/// One CPU-bound guest, counted until this is dropped.
#[derive(Debug)]
pub struct CpuBound(());

// === impl CpuThrottle ===

impl CpuThrottle {
    /// The guest starts something else.
    pub fn begin(&self) {
        *self.0.lock() = ThrottleState::default();
    }

    /// The guest computed until this tick; it continues after the returned pause.
    pub fn tick(&self) -> UpdateDeadline {
        note_busy_guest();
        let rest = self.0.lock().tick();
        let throttle = self.clone();
        UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move {
                match rest.is_zero() {
                    true => yield_once().await,
                    false => tokio::time::sleep(rest).await,
                }
                throttle.0.lock().yields = false;
            }),
        )
    }

    /// The guest has nothing to do, unless it only yielded at a tick.
    pub fn pause(&self) {
        let mut state = self.0.lock();
        if !state.yields {
            *state = ThrottleState::default();
        }
    }

    /// Polls the work of the guest, and notices when it waits.
    pub async fn watch<W: Future>(&self, work: W) -> W::Output {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let poll = work.as_mut().poll(cx);
            if poll.is_pending() {
                self.pause();
            }
            poll
        })
        .await
    }
}

impl ThrottleState {
    fn tick(&mut self) -> Duration {
        self.yields = true;
        self.ticks = self.ticks.saturating_add(1);
        match self.ticks > QUANTUM_TICKS {
            true => self
                .cpu_bound
                .get_or_insert_with(CpuBound::begin)
                .rest_after(TICK),
            false => Duration::ZERO,
        }
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

// === impl CpuBound ===

impl CpuBound {
    /// Counts one more CPU-bound guest.
    pub fn begin() -> Self {
        CPU_BOUND.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// The pause after so much work.
    pub fn rest_after(&self, work: Duration) -> Duration {
        let processors = available_parallelism().map_or(1, usize::from);
        rest_after(work, CPU_BOUND.load(Ordering::Relaxed), processors)
    }
}

impl Drop for CpuBound {
    fn drop(&mut self) {
        CPU_BOUND.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The pause of each CPU-bound guest after its work, with which all of them take every processor but one.
fn rest_after(work: Duration, cpu_bound: usize, processors: usize) -> Duration {
    let shared = processors.saturating_sub(1).max(1);
    let others = cpu_bound.saturating_sub(shared);
    work.mul_f64(others as f64 / shared as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_bound_guests_share_every_processor_but_one() {
        for (cpu_bound, processors, ticks) in [
            (1, 1, 0),
            (1, 2, 0),
            (2, 2, 1),
            (33, 2, 32),
            (3, 4, 0),
            (6, 4, 1),
        ] {
            assert_eq!(
                rest_after(TICK, cpu_bound, processors),
                TICK * ticks,
                "{cpu_bound} on {processors}"
            );
        }
    }

    fn is_cpu_bound(throttle: &CpuThrottle) -> bool {
        throttle.0.lock().cpu_bound.is_some()
    }

    /// What the engine does at a tick, and the code that polls the instance.
    async fn computes_for(throttle: &CpuThrottle, ticks: u32) {
        let work = async {
            for _ in 0..ticks {
                match throttle.tick() {
                    UpdateDeadline::YieldCustom(_, yielded) => yielded.await,
                    _ => panic!("a guest that computes must yield at a tick"),
                }
            }
        };
        throttle.watch(work).await;
    }

    #[tokio::test]
    async fn a_guest_is_cpu_bound_after_its_quantum_until_it_waits() {
        let throttle = CpuThrottle::default();
        computes_for(&throttle, QUANTUM_TICKS).await;
        assert!(!is_cpu_bound(&throttle));
        computes_for(&throttle, 1).await;
        assert!(is_cpu_bound(&throttle));
        throttle
            .watch(tokio::time::sleep(Duration::from_millis(1)))
            .await;
        assert!(!is_cpu_bound(&throttle));
    }

    #[tokio::test]
    async fn a_guest_that_waits_now_and_then_is_not_cpu_bound() {
        let throttle = CpuThrottle::default();
        for _ in 0..3 {
            computes_for(&throttle, QUANTUM_TICKS).await;
            throttle
                .watch(tokio::time::sleep(Duration::from_millis(1)))
                .await;
        }
        assert!(!is_cpu_bound(&throttle));
    }
}

//! How fast a guest may go on that computes and waits for nothing.
//!
//! Every guest yields at each tick of the epoch, so that its neighbours get their turn. That alone would be unfair to
//! them: a call that is mostly waiting stands in line anew after each wait, behind everybody who only computes, and with
//! dozens of those a reservation of twenty milliseconds takes seconds. So whoever has computed for a while *is_cpu_bound*: all
//! who do share every processor but one, by resting between their ticks, and one is left for those who make progress.
//!
//! To wait is to have nothing to do, and whoever polls the instance sees it ([`CpuThrottle::watch`]). A call to the host that
//! is answered on the spot is no wait: a guest that reads the clock for ever is_cpu_bound like any other.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::available_parallelism;
use std::time::Duration;

use parking_lot::Mutex;
use wasmtime::UpdateDeadline;

use crate::engine::TICK;

/// How many ticks a guest may compute before it is one who is_cpu_bound.
const QUANTUM_TICKS: u32 = 5;

/// Those who cpu_bound, in all stores of this process: it is its processors that they share.
static CPU_BOUND: AtomicUsize = AtomicUsize::new(0);

/// How a guest has been state on. Clones are of the same guest.
#[derive(Clone, Debug, Default)]
pub struct CpuThrottle(Arc<Mutex<ThrottleState>>);

#[derive(Debug, Default)]
struct ThrottleState {
    /// Since it last waited for anything.
    ticks: u32,
    /// Its turn is over, and it will go on by itself.
    yields: bool,
    cpu_bound: Option<CpuBound>,
}

/// One who is_cpu_bound, for as long as this is not dropped.
#[derive(Debug)]
pub struct CpuBound(());

// === impl CpuThrottle ===

impl CpuThrottle {
    /// It does something else from now on.
    pub fn begin(&self) {
        *self.0.lock() = ThrottleState::default();
    }

    /// It has computed until the next tick, and goes on after what is returned.
    pub fn tick(&self) -> UpdateDeadline {
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

    /// It has nothing to do at present, if its turn is not merely over.
    pub fn pause(&self) {
        let mut state = self.0.lock();
        if !state.yields {
            *state = ThrottleState::default();
        }
    }

    /// Does the guest's work, and notices when it waits.
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
            true => self.cpu_bound.get_or_insert_with(CpuBound::begin).rest(),
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
    /// One more.
    pub fn begin() -> Self {
        CPU_BOUND.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// How long to rest now, after a tick of work.
    pub fn rest(&self) -> Duration {
        let processors = available_parallelism().map_or(1, usize::from);
        rest(CPU_BOUND.load(Ordering::Relaxed), processors)
    }
}

impl Drop for CpuBound {
    fn drop(&mut self) {
        CPU_BOUND.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long each of so many rests after a tick of work, so that together they take every processor but one.
fn rest(cpu_bound: usize, processors: usize) -> Duration {
    let shared = processors.saturating_sub(1).max(1);
    let others = cpu_bound.saturating_sub(shared);
    TICK.mul_f64(others as f64 / shared as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_toil_share_every_processor_but_one() {
        for (cpu_bound, processors, ticks) in [
            (1, 1, 0),
            (1, 2, 0),
            (2, 2, 1),
            (33, 2, 32),
            (3, 4, 0),
            (6, 4, 1),
        ] {
            assert_eq!(
                rest(cpu_bound, processors),
                TICK * ticks,
                "{cpu_bound} on {processors}"
            );
        }
    }

    fn is_cpu_bound(throttle: &CpuThrottle) -> bool {
        throttle.0.lock().cpu_bound.is_some()
    }

    /// What the engine does at a tick, and whoever polls the instance.
    async fn computes_for(throttle: &CpuThrottle, ticks: u32) {
        let work = async {
            for _ in 0..ticks {
                match throttle.tick() {
                    UpdateDeadline::YieldCustom(_, turn) => turn.await,
                    _ => panic!("a guest that computes yields"),
                }
            }
        };
        throttle.watch(work).await;
    }

    #[tokio::test]
    async fn who_computes_for_long_toils_until_he_waits() {
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
    async fn who_waits_now_and_then_does_not_toil() {
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

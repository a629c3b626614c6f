//! How many instances of a component there are, and who decides that there are more or fewer.
//!
//! `instances_min` instances are there before anybody calls. A call that finds none idle has one created, up to
//! `instances_max`: so the pool grows with the load. An instance that nobody has needed for `instances_idle` goes, down
//! to `instances_min`: so it shrinks. When a component is replaced by a newer build, its instances go as soon as they
//! are idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use config::policy::InstanceBounds;
use tokio::sync::watch;

/// The instances of one component, counted.
pub struct InstancePool {
    bounds: InstanceBounds,
    alive: AtomicUsize,
    busy: AtomicUsize,
    retired: watch::Sender<bool>,
}

/// What there is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// Instances, idle or not.
    pub alive: usize,
    /// Those that work on a call.
    pub busy: usize,
    /// How many there may be.
    pub max: usize,
}

/// One instance, counted until it is dropped.
pub struct InstanceSlot {
    pool: Arc<InstancePool>,
    busy: AtomicBool,
    /// Set when it has been counted out already.
    left: AtomicBool,
}

/// There are as many instances as there may be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("all {0} instances are taken")]
pub struct PoolExhausted(usize);

// === impl InstancePool ===

impl InstancePool {
    /// Nobody yet.
    pub fn new(bounds: InstanceBounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            alive: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            retired: watch::Sender::new(false),
        })
    }

    /// Its bounds.
    pub fn bounds(&self) -> &InstanceBounds {
        &self.bounds
    }

    /// One more.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub fn acquire_slot(self: &Arc<Self>) -> Result<InstanceSlot, PoolExhausted> {
        let max = self.bounds.max;
        self.alive
            .try_update(Ordering::AcqRel, Ordering::Acquire, |alive| {
                (alive < max).then_some(alive + 1)
            })
            .map_err(|_| PoolExhausted(max))?;
        Ok(InstanceSlot {
            pool: self.clone(),
            busy: AtomicBool::new(false),
            left: AtomicBool::new(false),
        })
    }

    /// Whether there are fewer than are to be kept.
    pub fn is_below_minimum(&self) -> bool {
        !self.is_retired() && self.alive.load(Ordering::Acquire) < self.bounds.min
    }

    /// Lets all go that are idle, now or later.
    pub fn retire(&self) {
        self.retired.send_replace(true);
    }

    /// Whether a newer build has taken over.
    pub fn is_retired(&self) -> bool {
        *self.retired.borrow()
    }

    /// Returns when a newer build has taken over.
    pub fn retirement(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut retired = self.retired.subscribe();
        async move {
            // An error says that the pool itself is gone, which is the same.
            let _ = retired.wait_for(|retired| *retired).await;
        }
    }

    /// Who is there.
    pub fn stats(&self) -> PoolStats {
        PoolStats {
            alive: self.alive.load(Ordering::Acquire),
            busy: self.busy.load(Ordering::Acquire),
            max: self.bounds.max,
        }
    }
}

// === impl InstanceSlot ===

impl InstanceSlot {
    /// The pool it belongs to.
    pub fn pool(&self) -> &InstancePool {
        &self.pool
    }

    /// Whether it works on a call.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// It works from now on, or is idle; says what it did before.
    pub fn set_busy(&self, busy: bool) -> bool {
        let before = self.busy.swap(busy, Ordering::Relaxed);
        match (before, busy) {
            (false, true) => self.pool.busy.fetch_add(1, Ordering::AcqRel),
            (true, false) => self.pool.busy.fetch_sub(1, Ordering::AcqRel),
            _ => 0,
        };
        before
    }

    /// Asks to go; the answer is no while that would leave too few.
    pub fn try_leave(&self) -> bool {
        let min = match self.pool.is_retired() {
            true => 0,
            false => self.pool.bounds.min,
        };
        let counted = self
            .pool
            .alive
            .try_update(Ordering::AcqRel, Ordering::Acquire, |alive| {
                (alive > min).then(|| alive - 1)
            });
        let may = counted.is_ok();
        self.left.fetch_or(may, Ordering::Relaxed);
        may
    }
}

impl Drop for InstanceSlot {
    fn drop(&mut self) {
        self.set_busy(false);
        if !self.left.load(Ordering::Relaxed) {
            self.pool.alive.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use futures::FutureExt as _;

    fn pool(min: usize, max: usize) -> Arc<InstancePool> {
        InstancePool::new(InstanceBounds {
            min,
            max,
            idle: Duration::from_secs(1),
        })
    }

    #[test]
    fn it_grows_to_its_maximum_and_not_beyond() {
        let pool = pool(0, 2);
        let (first, _second) = (pool.acquire_slot().unwrap(), pool.acquire_slot().unwrap());
        assert!(pool.acquire_slot().is_err());
        drop(first);
        assert!(pool.acquire_slot().is_ok());
    }

    #[test]
    fn it_shrinks_to_its_minimum_and_not_below() {
        let pool = pool(1, 2);
        let (first, second) = (pool.acquire_slot().unwrap(), pool.acquire_slot().unwrap());
        assert!(first.try_leave());
        assert!(!second.try_leave());
        drop(first);
        assert_eq!(pool.stats().alive, 1);
    }

    #[test]
    fn a_retired_one_shrinks_to_nothing() {
        let pool = pool(1, 2);
        let last = pool.acquire_slot().unwrap();
        let retirement = pool.retirement();
        pool.retire();
        assert!(retirement.now_or_never().is_some());
        assert!(last.try_leave());
    }

    #[test]
    fn an_instance_that_dies_at_work_is_busy_no_more() {
        let pool = pool(0, 1);
        let slot = pool.acquire_slot().unwrap();
        slot.set_busy(true);
        assert_eq!(pool.stats().busy, 1);
        drop(slot);
        let expected = PoolStats {
            alive: 0,
            busy: 0,
            max: 1,
        };
        assert_eq!(pool.stats(), expected);
    }
}

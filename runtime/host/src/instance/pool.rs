//! The number of instances of a component.
//!
//! `instances_min` instances exist before the first call. A call that finds none idle creates one, up to
//! `instances_max`: the pool grows with the load. An instance that is idle for `instances_idle` ends, down to
//! `instances_min`: the pool shrinks. When a newer build replaces a component, its instances end as soon as they are
//! idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use config::policy::InstanceBounds;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// The counted instances of one component.
pub struct InstancePool {
    bounds: InstanceBounds,
    alive: AtomicUsize,
    busy: AtomicUsize,
    /// Notified when an instance becomes free for a request, or ends.
    released: Notify,
    retired: watch::Sender<bool>,
    /// Why the last attempt to create an instance failed, if it did.
    start_failure: Mutex<Option<String>>,
}

/// The number of instances at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// All instances, idle or busy.
    pub alive: usize,
    /// The instances that work on a call.
    pub busy: usize,
    /// The most instances.
    pub max: usize,
}

/// One counted instance, until it is dropped.
pub struct InstanceSlot {
    pool: Arc<InstancePool>,
    busy: AtomicBool,
    /// Set when the instance is no longer counted.
    left: AtomicBool,
}

/// The pool has its maximum.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("all {0} instances are in use")]
pub struct PoolExhausted(usize);

// === impl InstancePool ===

impl InstancePool {
    /// An empty pool.
    pub fn new(bounds: InstanceBounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            alive: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            released: Notify::new(),
            retired: watch::Sender::new(false),
            start_failure: Mutex::default(),
        })
    }

    /// The bounds of the pool.
    pub fn bounds(&self) -> &InstanceBounds {
        &self.bounds
    }

    /// Counts one more instance.
    ///
    /// # Errors
    /// When the pool has its maximum.
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

    /// An instance has become free for a request.
    pub fn note_release(&self) {
        self.released.notify_one();
    }

    /// Waits until an instance becomes free for a request or ends, but not longer than `limit`.
    pub async fn wait_for_release(&self, limit: Duration) {
        // After the limit, the caller looks by itself.
        let _ = tokio::time::timeout(limit, self.released.notified()).await;
    }

    /// Whether the pool has less than its minimum.
    pub fn is_below_minimum(&self) -> bool {
        !self.is_retired() && self.alive.load(Ordering::Acquire) < self.bounds.min
    }

    /// Ends all instances as soon as they are idle.
    pub fn retire(&self) {
        self.retired.send_replace(true);
    }

    /// Whether a newer build has replaced the component.
    pub fn is_retired(&self) -> bool {
        *self.retired.borrow()
    }

    /// Returns when a newer build replaces the component.
    pub fn retirement(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut retired = self.retired.subscribe();
        async move {
            // An error means that the pool is dropped, which is the same.
            let _ = retired.wait_for(|retired| *retired).await;
        }
    }

    /// Notes how the creation of an instance ended.
    pub fn note_start<T>(&self, created: &wasmtime::Result<T>) {
        let failure = created.as_ref().err();
        let failure = failure.filter(|error| !error.is::<PoolExhausted>());
        *self.start_failure.lock() = failure.map(|error| format!("{error:#}"));
    }

    /// Why no instance can be created, if the last attempt failed.
    pub fn start_failure(&self) -> Option<String> {
        self.start_failure.lock().clone()
    }

    /// The current numbers.
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
    /// The pool of the instance.
    pub fn pool(&self) -> &InstancePool {
        &self.pool
    }

    /// Whether the instance works on a call.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Marks the instance as busy.
    pub fn mark_busy(&self) {
        if !self.busy.swap(true, Ordering::Relaxed) {
            self.pool.busy.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Marks the instance as idle; returns whether it was busy.
    pub fn mark_idle(&self) -> bool {
        let was_busy = self.busy.swap(false, Ordering::Relaxed);
        if was_busy {
            self.pool.busy.fetch_sub(1, Ordering::AcqRel);
        }
        was_busy
    }

    /// Stops counting the instance, unless the pool would have less than its minimum.
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
        self.mark_idle();
        if !self.left.load(Ordering::Relaxed) {
            self.pool.alive.fetch_sub(1, Ordering::AcqRel);
            self.pool.released.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn a_pool_grows_to_its_maximum() {
        let pool = pool(0, 2);
        let (first, _second) = (pool.acquire_slot().unwrap(), pool.acquire_slot().unwrap());
        assert!(pool.acquire_slot().is_err());
        drop(first);
        assert!(pool.acquire_slot().is_ok());
    }

    #[test]
    fn a_pool_shrinks_to_its_minimum() {
        let pool = pool(1, 2);
        let (first, second) = (pool.acquire_slot().unwrap(), pool.acquire_slot().unwrap());
        assert!(first.try_leave());
        assert!(!second.try_leave());
        drop(first);
        assert_eq!(pool.stats().alive, 1);
    }

    #[test]
    fn a_retired_pool_shrinks_to_zero() {
        let pool = pool(1, 2);
        let last = pool.acquire_slot().unwrap();
        let retirement = pool.retirement();
        pool.retire();
        assert!(retirement.now_or_never().is_some());
        assert!(last.try_leave());
    }

    #[test]
    fn a_dropped_busy_instance_is_not_counted() {
        let pool = pool(0, 1);
        let slot = pool.acquire_slot().unwrap();
        slot.mark_busy();
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

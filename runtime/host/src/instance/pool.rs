//! The number of instances of a component.
//!
//! `instances_min` instances exist before the first call. A call that finds none idle creates one, up to
//! `instances_max`: the pool grows with the load. An instance that is idle for `instances_idle` ends, down to
//! `instances_min`: the pool shrinks. Instances for requests, and those for events and functions, are kept apart and share
//! the maximum: an idle one of the other kind ends when a call finds no room. When a newer build replaces a component, its instances end as soon as they are
//! idle.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
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
    /// The number of calls of functions and events that wait for an idle instance for requests to end.
    waiting_calls: watch::Sender<usize>,
    idle: IdleInstances,
    /// Why the last attempt to create an instance failed, if it did.
    start_failure: Mutex<Option<String>>,
}

/// Ends an idle instance, and returns whether there was one.
type EndIdle = Box<dyn Fn() -> bool + Send + Sync>;

/// How idle instances of each kind make room for the other.
#[derive(Default)]
struct IdleInstances {
    /// Those for events and functions.
    calls: OnceLock<EndIdle>,
    /// Those for requests that no request has used yet.
    unused: OnceLock<EndIdle>,
}

/// A call that waits for room, until it is dropped.
pub struct WaitingCall<'a>(&'a InstancePool);

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
            waiting_calls: watch::Sender::new(0),
            idle: IdleInstances::default(),
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

    /// Counts one more instance for requests; an idle one for events and functions ends for it.
    ///
    /// # Errors
    /// When the pool has its maximum, and no such instance is idle.
    pub fn acquire_slot_for_request(self: &Arc<Self>) -> Result<InstanceSlot, PoolExhausted> {
        let mut acquired = self.acquire_slot();
        while acquired.is_err() && end_one(&self.idle.calls) {
            acquired = self.acquire_slot();
        }
        acquired
    }

    /// Lets an idle instance for requests end for a call that waits; [`InstancePool::room_wanted`] tells it so.
    pub fn wait_for_room(&self) -> WaitingCall<'_> {
        end_one(&self.idle.unused);
        self.waiting_calls.send_modify(|waiting| *waiting += 1);
        WaitingCall(self)
    }

    /// Returns when a call waits for an idle instance for requests to end.
    pub fn room_wanted(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut waiting = self.waiting_calls.subscribe();
        async move {
            if waiting.wait_for(|waiting| *waiting > 0).await.is_err() {
                // The pool is dropped, and its instances end with it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Takes the wish of one waiting call for room; returns whether there was one.
    pub fn take_wish_for_room(&self) -> bool {
        self.waiting_calls.send_if_modified(|waiting| {
            let is_wanted = *waiting > 0;
            *waiting = waiting.saturating_sub(1);
            is_wanted
        })
    }

    /// Whether an instance exists that does not work on a call.
    pub fn has_idle(&self) -> bool {
        let stats = self.stats();
        stats.busy < stats.alive
    }

    /// Sets how an idle instance for events and functions ends. Only the first call has an effect.
    pub fn end_idle_calls_by(&self, end: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.idle.calls.set(Box::new(end));
    }

    /// Sets how an instance for requests ends that none has used yet. Only the first call has an effect.
    pub fn end_unused_by(&self, end: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.idle.unused.set(Box::new(end));
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

fn end_one(idle: &OnceLock<EndIdle>) -> bool {
    idle.get().is_some_and(|end| end())
}

// === impl WaitingCall ===

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        // An instance may have taken the wish of this call, or of another one that wishes again a moment later.
        self.0.take_wish_for_room();
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

    /// Two events have left two idle instances; a request comes.
    #[test]
    fn idle_instances_for_events_make_room_for_a_request() {
        let pool = pool(0, 2);
        let slots = [(); 2].map(|()| pool.acquire_slot().unwrap());
        let idle = Arc::new(Mutex::new(Vec::from(slots)));
        let ending = idle.clone();
        pool.end_idle_calls_by(move || ending.lock().pop().is_some());
        let first = pool.acquire_slot_for_request().unwrap();
        let _second = pool.acquire_slot_for_request().unwrap();
        assert_eq!(pool.stats().alive, 2);
        assert!(pool.acquire_slot_for_request().is_err());
        drop(first);
        assert!(pool.acquire_slot_for_request().is_ok());
    }

    #[test]
    fn one_idle_instance_for_requests_ends_for_each_waiting_call() {
        let pool = pool(0, 2);
        let wanted = || pool.room_wanted().now_or_never().is_some();
        assert!(!wanted());
        let waiting = pool.wait_for_room();
        assert!(wanted());
        assert!(pool.take_wish_for_room());
        assert!(!pool.take_wish_for_room());
        drop(waiting);
        drop(pool.wait_for_room());
        assert!(!wanted(), "a call that waits no longer wants no room");
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

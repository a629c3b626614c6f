//! Instances that handle events and calls of functions: an idle one is taken from the pool for one call, and released
//! when the call succeeds.
//!
//! The `handler` module of wasmtime-wasi-http supports only HTTP; these calls need no streaming body and no queue. The
//! subscription or the link that makes the calls limits their concurrency.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store};

use super::pool::{InstancePool, InstanceSlot, PoolExhausted};
use super::{MAX_CALLS, within_start_timeout};
use crate::call::{Call, CallInProgress};
use crate::capability::{Grants, InstanceState};

/// The longest wait for an idle instance for requests to end, and the time between two attempts.
const MAX_ROOM_WAIT: Duration = Duration::from_secs(1);
const ROOM_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Creates, keeps and reuses the instances.
pub struct CallPool {
    engine: Engine,
    grants: Arc<Grants>,
    instance: InstancePre<InstanceState>,
    pool: Arc<InstancePool>,
    idle: Mutex<Vec<PooledInstance>>,
}

/// An instance of the pool.
pub struct PooledInstance {
    /// Its store.
    pub store: Store<InstanceState>,
    /// Its exports.
    pub instance: Instance,
    calls: usize,
    since: Instant,
    slot: InstanceSlot,
    /// Tells that the call is in progress.
    in_progress: CallInProgress,
}

// === impl CallPool ===

impl CallPool {
    /// Creates a pool for a linked component. Its idle instances make room for requests.
    pub fn new(
        engine: Engine,
        grants: Arc<Grants>,
        instance: InstancePre<InstanceState>,
        pool: Arc<InstancePool>,
    ) -> Arc<Self> {
        let calls = Arc::new(Self {
            engine,
            grants,
            instance,
            pool,
            idle: Mutex::default(),
        });
        let idle = Arc::downgrade(&calls);
        calls.pool.end_idle_calls_by(move || {
            // The one that was idle for the longest time.
            let ended = idle.upgrade().and_then(|calls| {
                let mut idle = calls.idle.lock();
                (!idle.is_empty()).then(|| idle.remove(0))
            });
            ended.is_some()
        });
        calls
    }

    /// The id of the component.
    pub fn component(&self) -> &Arc<str> {
        &self.grants.component
    }

    /// Takes an idle instance, or creates one, and begins a call with it.
    ///
    /// # Errors
    /// When no instance can be created before the deadline of the call.
    pub async fn begin(&self, call: Call) -> wasmtime::Result<PooledInstance> {
        let taken = tokio::time::timeout_at(call.deadline.into(), self.take()).await;
        let taken = taken
            .unwrap_or_else(|_| Err(wasmtime::format_err!("the instance did not start in time")));
        let mut pooled = taken?;
        pooled.in_progress = call.in_progress();
        pooled.store.data_mut().begin(call);
        pooled.calls += 1;
        pooled.slot.mark_busy();
        Ok(pooled)
    }

    /// Puts an instance back whose call succeeded.
    pub fn release(&self, mut pooled: PooledInstance) {
        pooled.slot.mark_idle();
        pooled.in_progress = CallInProgress::default();
        pooled.store.data().cpu_throttle().begin();
        if pooled.calls < MAX_CALLS && !self.pool.is_retired() {
            pooled.since = Instant::now();
            self.idle.lock().push(pooled);
        }
    }

    /// Drops the instances that have been idle for long enough.
    pub fn evict_idle(&self) {
        let now = Instant::now();
        let idle_timeout = match self.pool.is_retired() {
            true => Duration::ZERO,
            false => self.pool.bounds().idle,
        };
        let mut idle = self.idle.lock();
        let stale = idle
            .iter()
            .take_while(|pooled| now.duration_since(pooled.since) >= idle_timeout)
            .take_while(|pooled| pooled.slot.try_leave())
            .count();
        let dropped: Vec<_> = idle.drain(..stale).collect();
        drop(idle);
        drop(dropped);
    }

    /// Creates one instance, to check that it can be done.
    ///
    /// # Errors
    /// When the instance cannot be created.
    pub async fn check_start(&self) -> wasmtime::Result<()> {
        let created = self.create().await?;
        self.release(created);
        Ok(())
    }

    /// Creates instances until the pool has its minimum.
    ///
    /// # Errors
    /// When an instance cannot be created.
    pub async fn fill(&self) -> wasmtime::Result<()> {
        while self.pool.is_below_minimum() {
            let created = self.create().await?;
            self.release(created);
        }
        Ok(())
    }

    async fn take(&self) -> wasmtime::Result<PooledInstance> {
        let began = Instant::now();
        loop {
            // The instance that was used last has warm memory; the others can become idle for long enough.
            let warm = self.idle.lock().pop();
            if let Some(pooled) = warm {
                return Ok(pooled);
            }
            match self.create().await {
                Err(error) if error.is::<PoolExhausted>() => {
                    if !self.pool.has_idle() || began.elapsed() >= MAX_ROOM_WAIT {
                        return Err(error);
                    }
                }
                created => return created,
            }
            let _waiting = self.pool.wait_for_room();
            self.pool.wait_for_release(ROOM_POLL_INTERVAL).await;
        }
    }

    async fn create(&self) -> wasmtime::Result<PooledInstance> {
        let created = self.try_create().await;
        self.pool.note_start(&created);
        created
    }

    async fn try_create(&self) -> wasmtime::Result<PooledInstance> {
        let slot = self.pool.acquire_slot()?;
        let mut store = super::store(&self.engine, &self.grants)?;
        let start = self.instance.instantiate_async(&mut store);
        let instance = within_start_timeout(&self.grants, start).await?;
        Ok(PooledInstance {
            store,
            instance,
            calls: 0,
            since: Instant::now(),
            slot,
            in_progress: CallInProgress::default(),
        })
    }
}

//! Instances that handle events: an idle one is taken from the pool for one call, and released when it succeeds.
//!
//! The `handler` module of wasmtime-wasi-http supports only HTTP; an event needs no streaming body and no queue. The
//! subscription that delivers the events limits the concurrency.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store, Trap};

use super::pool::{InstancePool, InstanceSlot};
use super::{MAX_CALLS, within_start_timeout};
use crate::call::Call;
use crate::capability::bindings::{Platform as Guest, PlatformPre as GuestPre};
use crate::capability::{Grants, InstanceState};

/// Why an event was not handled.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The guest returned an error.
    #[error("component `{component}` returned an error: {reason}")]
    Rejected {
        /// The component.
        component: Arc<str>,
        /// The error of the guest.
        reason: String,
    },
    /// The guest did not finish before its deadline.
    #[error("component `{component}` exceeded its deadline")]
    DeadlineExceeded {
        /// The component.
        component: Arc<str>,
    },
    /// A fault injection dropped the event.
    #[error("a fault injection dropped an event for component `{component}`")]
    Dropped {
        /// The component.
        component: Arc<str>,
    },
    /// No instance is available: the memory is used up, or it does not start.
    #[error("component `{component}` has no free instance")]
    NoInstance {
        /// The component.
        component: Arc<str>,
        /// The error of Wasmtime.
        source: anyhow::Error,
    },
    /// The guest trapped or exited.
    #[error("component `{component}` failed")]
    Failed {
        /// The component.
        component: Arc<str>,
        /// The error of Wasmtime.
        source: anyhow::Error,
    },
}

/// Creates, keeps and reuses instances that handle events.
pub struct EventPool {
    engine: Engine,
    grants: Arc<Grants>,
    guest: GuestPre<InstanceState>,
    pool: Arc<InstancePool>,
    idle: Mutex<Vec<EventInstance>>,
}

struct EventInstance {
    store: Store<InstanceState>,
    guest: Guest,
    calls: usize,
    since: Instant,
    slot: InstanceSlot,
}

impl EventPool {
    /// Creates a pool for a linked component.
    ///
    /// # Errors
    /// When the component does not export `spin:redis/inbound-redis@3.0.0`.
    pub fn new(
        engine: Engine,
        grants: Arc<Grants>,
        instance: InstancePre<InstanceState>,
        pool: Arc<InstancePool>,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            engine,
            grants,
            guest: GuestPre::new(instance)?,
            pool,
            idle: Mutex::default(),
        })
    }

    /// Handles one event.
    ///
    /// # Errors
    /// See [`EventError`]. The instance is dropped unless the guest returned an error itself.
    pub async fn handle(&self, call: Call, payload: Vec<u8>) -> Result<(), EventError> {
        let component = || self.grants.component.clone();
        let failed = |error: wasmtime::Error| EventError::Failed {
            component: component(),
            source: error.into(),
        };
        let deadline = call.deadline;
        let taken = tokio::time::timeout_at(deadline.into(), self.take()).await;
        let taken = taken
            .unwrap_or_else(|_| Err(wasmtime::format_err!("the instance did not start in time")));
        let no_instance = |error: wasmtime::Error| match error.is::<Trap>() {
            true => failed(error),
            false => EventError::NoInstance {
                component: component(),
                source: error.into(),
            },
        };
        let mut pooled = taken.map_err(no_instance)?;
        pooled.store.data_mut().begin(call);
        pooled.calls += 1;
        pooled.slot.mark_busy();

        let guest = &pooled.guest;
        let throttle = pooled.store.data().cpu_throttle().clone();
        let work = pooled.store.run_concurrent(async |accessor| {
            let answer = guest
                .spin_redis_inbound_redis()
                .call_handle_message(accessor, payload)
                .await;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            answer
        });
        let answer = tokio::time::timeout_at(deadline.into(), throttle.watch(work))
            .await
            .map_err(|_| EventError::DeadlineExceeded {
                component: component(),
            })?
            .and_then(|answer| answer)
            .map_err(failed)?;
        self.release(pooled);
        answer.map_err(|error| EventError::Rejected {
            component: component(),
            reason: format!("{error:?}"),
        })
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

    async fn take(&self) -> wasmtime::Result<EventInstance> {
        // The instance that was used last has warm memory; the others can become idle for long enough.
        let warm = self.idle.lock().pop();
        match warm {
            Some(pooled) => Ok(pooled),
            None => self.create().await,
        }
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

    async fn create(&self) -> wasmtime::Result<EventInstance> {
        let slot = self.pool.acquire_slot()?;
        let mut store = super::store(&self.engine, &self.grants)?;
        let guest =
            within_start_timeout(&self.grants, self.guest.instantiate_async(&mut store)).await?;
        Ok(EventInstance {
            store,
            guest,
            calls: 0,
            since: Instant::now(),
            slot,
        })
    }

    fn release(&self, mut pooled: EventInstance) {
        pooled.slot.mark_idle();
        pooled.store.data().cpu_throttle().begin();
        if pooled.calls < MAX_CALLS && !self.pool.is_retired() {
            pooled.since = Instant::now();
            self.idle.lock().push(pooled);
        }
    }
}

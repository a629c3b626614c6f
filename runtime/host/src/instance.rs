//! Instances that handle requests: how long they live, and what ends them.
//!
//! An instance handles one request at a time, and many one after the other: a trap, an endless loop or too much memory
//! harms only one caller, and the cost of a start is paid once. An instance ends
//!
//! - when it does not start within the time of one call,
//! - when it traps, exits, or exceeds the deadline of its call (a guest that computes yields at each epoch, and
//!   [`Expiration`] is polled outside of its event loop),
//! - when it has been idle for long enough, or a newer build has replaced it ([`pool`]),
//! - after [`MAX_CALLS`] requests, so that memory that a guest leaks is freed.
//!
//! A guest that only computes is slowed down ([`crate::cpu_throttle`]).
//!
//! Wasmtime's `handler` module moves requests to idle instances and starts new ones; [`pool`] limits their number.

pub mod events;
pub mod pool;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::Sleep;
use tracing::{debug, warn};
use wasmtime::component::{GuestTaskId, InstancePre};
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::call::Call;
use crate::capability::{Grants, InstanceState};
use crate::cpu_throttle::CpuThrottle;
use pool::{InstancePool, InstanceSlot};

/// The most requests of one instance.
pub const MAX_CALLS: usize = 1000;

/// How long after its deadline an instance may take to end by itself.
const GRACE: Duration = Duration::from_millis(20);

/// An instance did not start in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it did not start within {0:?}")]
pub struct StartTimeout(Duration);

/// Creates the instances of one component.
pub struct InstanceFactory {
    engine: Engine,
    grants: Arc<Grants>,
    service: ServicePre<InstanceState>,
    pool: Arc<InstancePool>,
    /// Instances that were started in advance.
    ready: Mutex<Vec<RequestInstance>>,
}

/// An instance with its expiration.
type RequestInstance = Instance<InstanceState, Expiration, RequestAcceptor>;

/// The status that an instance and its expiration share.
struct InstanceStatus {
    /// The deadline of the current call.
    deadline: Mutex<Option<Instant>>,
    /// Busy from the start of a request until all its tasks have ended.
    slot: InstanceSlot,
    /// Slows down the guest.
    throttle: CpuThrottle,
}

/// Accepts requests for an instance, one at a time.
pub struct RequestAcceptor {
    component: Arc<str>,
    status: Arc<InstanceStatus>,
}

/// Decides from outside when an instance ends.
pub struct Expiration {
    status: Arc<InstanceStatus>,
    timer: Pin<Box<Sleep>>,
    retirement: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    /// The pool needs it at least until then, although it is idle.
    stays_until: Instant,
}

/// A store for one instance, with its limits.
///
/// # Errors
/// When a granted directory cannot be opened.
pub fn store(engine: &Engine, grants: &Arc<Grants>) -> wasmtime::Result<Store<InstanceState>> {
    let mut store = Store::new(engine, InstanceState::new(grants)?);
    store.limiter(|state| state.limits());
    store.epoch_deadline_callback(|store| Ok(store.data().cpu_throttle().tick()));
    store.set_epoch_deadline(1);
    Ok(store)
}

/// Limits a start to the time of one call. A guest that computes endlessly while it starts is no better than one that
/// does so in a call, and its caller has left by then.
async fn within_start_timeout<A>(
    grants: &Grants,
    start: impl Future<Output = wasmtime::Result<A>>,
) -> wasmtime::Result<A> {
    let started = tokio::time::timeout(grants.deadline, start).await;
    started.unwrap_or_else(|_| Err(StartTimeout(grants.deadline).into()))
}

// === impl InstanceFactory ===

impl InstanceFactory {
    /// Prepares to create instances of a linked component.
    ///
    /// # Errors
    /// When the component does not export `wasi:http/handler@0.3.0`.
    pub fn new(
        engine: Engine,
        grants: Arc<Grants>,
        instance: InstancePre<InstanceState>,
        pool: Arc<InstancePool>,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            engine,
            grants,
            service: ServicePre::new(instance)?,
            pool,
            ready: Mutex::default(),
        })
    }

    /// Starts instances until the pool has its minimum: at the start, and when one has failed.
    ///
    /// # Errors
    /// When one cannot be created.
    pub async fn fill(&self) -> wasmtime::Result<()> {
        while self.pool.is_below_minimum() {
            let created = self.create().await?;
            self.ready.lock().push(created);
        }
        Ok(())
    }

    /// Drops the instances that were started in advance.
    pub fn clear(&self) {
        let ready = std::mem::take(&mut *self.ready.lock());
        drop(ready);
    }

    async fn create(&self) -> wasmtime::Result<RequestInstance> {
        let slot = self.pool.acquire_slot()?;
        let mut store = store(&self.engine, &self.grants)?;
        let service =
            within_start_timeout(&self.grants, self.service.instantiate_async(&mut store)).await?;
        let status = Arc::new(InstanceStatus {
            deadline: Mutex::default(),
            slot,
            throttle: store.data().cpu_throttle().clone(),
        });
        let bounds = self.pool.bounds();
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: WasiHttpView::http,
            expiration: Expiration {
                status: status.clone(),
                timer: Box::pin(tokio::time::sleep(bounds.idle)),
                retirement: Box::pin(self.pool.retirement()),
                stays_until: Instant::now(),
            },
            state: RequestAcceptor {
                component: self.grants.component.clone(),
                status,
            },
        })
    }
}

impl HandlerState for InstanceFactory {
    type StoreData = InstanceState;
    type WorkerExpiration = Expiration;
    type WorkerState = RequestAcceptor;

    async fn instantiate(&self) -> wasmtime::Result<RequestInstance> {
        let ready = self.ready.lock().pop();
        match ready {
            Some(created) => Ok(created),
            None => self.create().await,
        }
    }
}

// === impl RequestAcceptor ===

impl WorkerState for RequestAcceptor {
    type StoreData = InstanceState;
    type RequestData = Call;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= MAX_CALLS {
            ShouldAccept::Never
        } else if concurrent > 0 || self.status.slot.is_busy() {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, InstanceState>,
        call: Call,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let deadline = call.deadline;
        self.status.slot.set_busy(true);
        *self.status.deadline.lock() = Some(deadline);
        store.data_mut().begin(call);
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }

    fn drop(&self, store: Store<InstanceState>, result: wasmtime::Result<()>) {
        let component = &*self.component;
        let call = store.data().call();
        if let Some(call) = call.filter(|_| result.is_err()) {
            // Set before the store is dropped, and with it the senders of the body.
            call.abort_flag.set();
        }
        let request_id = call.map(|call| call.trace.id()).unwrap_or_default();
        let late = self
            .status
            .deadline
            .lock()
            .is_some_and(|deadline| deadline <= Instant::now());
        match result {
            Ok(()) => debug!(component, "instance retired"),
            // The platform shuts down, without a call in progress.
            Err(_) if !self.status.slot.is_busy() => {
                debug!(component, "instance dropped")
            }
            Err(_) if late => warn!(component, request_id, "instance ended at its deadline"),
            Err(error) => {
                warn!(component, request_id, error = %error.root_cause(), "instance failed");
                debug!(component, request_id, backtrace = %error, "backtrace of the failed instance");
            }
        }
    }
}

// === impl Expiration ===

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        worker: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        // Not polled while the guest could continue.
        self.status.throttle.pause();
        match worker {
            WorkerStatus::Idle => {
                // Only now is the last request over, with all its tasks. Request the next one.
                if self.status.slot.set_busy(false) {
                    cx.waker().wake_by_ref();
                }
                self.idle(cx, since)
            }
            WorkerStatus::Requests | WorkerStatus::PostReturn => {
                let deadline = self.status.deadline.lock().unwrap_or(since) + GRACE;
                self.expires_at(cx, deadline)
            }
        }
    }
}

impl Expiration {
    fn idle(&mut self, cx: &mut Context<'_>, since: Instant) -> Poll<()> {
        let pool = self.status.slot.pool();
        let retired = pool.is_retired() || self.retirement.as_mut().poll(cx).is_ready();
        let patience = pool.bounds().idle;
        let until = self.stays_until.max(since + patience);
        if !retired && self.expires_at(cx, until).is_pending() {
            return Poll::Pending;
        }
        if self.status.slot.try_leave() {
            return Poll::Ready(());
        }
        self.stays_until = Instant::now() + patience;
        self.expires_at(cx, self.stays_until)
    }

    fn expires_at(&mut self, cx: &mut Context<'_>, time: Instant) -> Poll<()> {
        if self.timer.deadline() != time.into() {
            self.timer.as_mut().reset(time.into());
        }
        self.timer.as_mut().poll(cx)
    }
}

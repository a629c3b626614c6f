//! Who keeps an instance alive, and what ends it.
//!
//! An instance of a component handles one request at a time, and many one after the other: a trap, a hang or a hoard
//! harms only the caller who provoked it, while the price of starting is paid once. It is retired
//!
//! - when it does not start within the time of one call,
//! - when it trapped, exited, or exceeded the deadline of its call (even while computing: the epoch makes it yield,
//!   and [`Expiration`] is asked outside of its event loop),
//! - when it has been idle for long enough, or a newer build has taken over ([`pool`]),
//! - after [`MAX_CALLS`] requests, so that what a guest leaks is given back.
//!
//! A guest that only computes yields all the time, and slows down where many do ([`crate::cpu_throttle`]).
//!
//! Wasmtime's `handler` module moves requests to idle instances and starts new ones; how many there may be is for
//! [`pool`] to limit.

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

/// How many requests an instance handles before it is replaced.
pub const MAX_CALLS: usize = 1000;

/// How long after its deadline an instance may take to notice by itself.
const GRACE: Duration = Duration::from_millis(20);

/// An instance did not start in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it did not start within {0:?}")]
pub struct StartTimeout(Duration);

/// Makes instances of one component.
pub struct InstanceFactory {
    engine: Engine,
    grants: Arc<Grants>,
    service: ServicePre<InstanceState>,
    pool: Arc<InstancePool>,
    /// Instances that were created ahead of the calls that will need them.
    ready: Mutex<Vec<RequestInstance>>,
}

/// An instance, and who looks after it.
type RequestInstance = Instance<InstanceState, Expiration, RequestAcceptor>;

/// What one instance and its guardian share.
struct InstanceStatus {
    /// When the present call must be done.
    deadline: Mutex<Option<Instant>>,
    /// Busy from the arrival of a request until everything it started has ended.
    slot: InstanceSlot,
    /// How the guest goes on.
    throttle: CpuThrottle,
}

/// Admits requests to an instance, one at a time.
pub struct RequestAcceptor {
    component: Arc<str>,
    status: Arc<InstanceStatus>,
}

/// Watches an instance from outside.
pub struct Expiration {
    status: Arc<InstanceStatus>,
    timer: Pin<Box<Sleep>>,
    retirement: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    /// It was told to stay, although idle, at least until then.
    stays_until: Instant,
}

/// A store for one instance, with its limits set.
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

/// A start, as long as one call of the component may take: whoever spins while it starts is no better than whoever spins
/// in a call, and its caller has gone by then.
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

    /// Makes instances until there are as many as are to be kept: at the start, and whenever one has failed.
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

    /// Lets those go that nobody has needed yet.
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
            // Before the store goes, and with it the ends of what it was sending.
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
            // Dropped without a call to answer for: the platform is stopping.
            Err(_) if !self.status.slot.is_busy() => {
                debug!(component, "instance dropped")
            }
            Err(_) if late => warn!(component, request_id, "instance ended at its deadline"),
            Err(error) => {
                warn!(component, request_id, error = %error.root_cause(), "instance failed");
                debug!(component, request_id, backtrace = %error, "where it failed");
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
        // Nobody asks while the guest could go on.
        self.status.throttle.pause();
        match worker {
            WorkerStatus::Idle => {
                // Only now is the last request truly over: nothing it started is left. Ask for the next one.
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

//! Lifetime of an instance: what keeps it alive, and what ends it.
//!
//! An instance of a component handles one request at a time, and many in sequence: a trap, an endless loop or an
//! excessive allocation affects only the call that caused it, while the cost of a start is paid once. An instance is
//! retired
//!
//! - when it does not start within the deadline of one call,
//! - when it trapped, exited, or exceeded the deadline of its call. This also ends a guest that computes: the epoch makes
//!   it yield, and [`Expiration`] is polled outside of its event loop,
//! - when it was idle for the configured time or in the way of another call, or a newer generation has taken over ([`pool`]),
//! - after [`MAX_CALLS`] requests, so that memory that a guest leaks is freed.
//!
//! A guest that computes without waiting is throttled ([`crate::cpu_throttle`]).
//!
//! Wasmtime's `handler` module assigns requests to idle instances and starts new ones; [`pool`] limits their number.

pub mod call_pool;
pub mod demand;
pub mod events;
pub mod functions;
pub mod pool;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::Sleep;
use tracing::{debug, warn};
use wasmtime::component::GuestTaskId;
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::call::{Call, CallInProgress};
use crate::capability::{Grants, InstanceState};
use crate::cpu_throttle::CpuThrottle;
use crate::trace::Trace;
use demand::{Demand, DemandedInstance, DemandingRequest};
use pool::{InstancePool, InstanceSlot};

/// Number of requests after which an instance is replaced.
pub const MAX_CALLS: usize = 1000;

/// Time after its deadline within which an instance may end by itself.
const EXPIRATION_GRACE: Duration = Duration::from_millis(20);

/// The instance did not start in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the instance did not start within {0:?}")]
pub struct StartTimeout(Duration);

/// Creates instances of one component.
pub struct InstanceFactory {
    engine: Engine,
    grants: Arc<Grants>,
    service: ProxyPre<InstanceState>,
    pool: Arc<InstancePool>,
    /// Instances that were created before a call needs them.
    ready: Arc<Mutex<Vec<RequestInstance>>>,
    demand: Arc<Demand>,
}

/// An instance with its expiration and its request acceptor.
type RequestInstance = Instance<InstanceState, Expiration, RequestAcceptor>;

/// State that an instance shares with its expiration.
struct InstanceStatus {
    /// Deadline of the present call.
    deadline: Mutex<Option<Instant>>,
    /// Tells that the present call is in progress, until all work that it started has ended.
    in_progress: Mutex<CallInProgress>,
    /// Busy from the arrival of a request until all work that it started has ended.
    slot: InstanceSlot,
    /// Whether the instance has been free for a request since its last one.
    was_free: AtomicBool,
    _demanded: DemandedInstance,
    /// CPU throttle of the guest.
    throttle: CpuThrottle,
}

/// Accepts requests for an instance, one at a time.
pub struct RequestAcceptor {
    component: Arc<str>,
    status: Arc<InstanceStatus>,
}

/// Decides from outside when an instance must end.
pub struct Expiration {
    status: Arc<InstanceStatus>,
    timer: Pin<Box<Sleep>>,
    retirement: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    room_wanted: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    /// Time until which an idle instance stays at least, because the pool is at its minimum.
    stays_until: Instant,
}

/// Creates a store for one instance, with its limits.
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

/// Limits the start of an instance to the deadline of the component: after that time the caller has left, and a guest may
/// loop during its start as well as during a call.
async fn within_start_timeout<A>(
    grants: &Grants,
    start: impl Future<Output = wasmtime::Result<A>>,
) -> wasmtime::Result<A> {
    let started = tokio::time::timeout(grants.deadline, start).await;
    started.unwrap_or_else(|_| Err(StartTimeout(grants.deadline).into()))
}

// === impl InstanceFactory ===

impl InstanceFactory {
    /// Creates a factory for a linked component with its handler.
    pub fn new(
        engine: Engine,
        grants: Arc<Grants>,
        service: ProxyPre<InstanceState>,
        pool: Arc<InstancePool>,
    ) -> Self {
        let ready: Arc<Mutex<Vec<RequestInstance>>> = Arc::default();
        let unused = Arc::downgrade(&ready);
        pool.end_unused_by(move || {
            let ended = unused.upgrade().and_then(|ready| ready.lock().pop());
            ended.is_some()
        });
        Self {
            engine,
            grants,
            service,
            pool,
            ready,
            demand: Arc::default(),
        }
    }

    /// A request begins.
    pub fn request(&self) -> DemandingRequest {
        self.demand.request()
    }

    /// Creates instances up to the minimum of the pool: at the start, and after an instance has failed.
    ///
    /// # Errors
    /// When an instance cannot be created.
    pub async fn fill(&self) -> wasmtime::Result<()> {
        while self.pool.is_below_minimum() {
            let demanded = self.demand.instance_in_advance();
            let created = self.create(demanded).await?;
            self.ready.lock().push(created);
        }
        Ok(())
    }

    /// Waits until an instance becomes idle or ends, but not longer than `limit`.
    pub async fn wait_for_release(&self, limit: Duration) {
        self.pool.wait_for_release(limit).await;
    }

    /// Drops the instances that no call has used yet.
    pub fn clear(&self) {
        let ready = std::mem::take(&mut *self.ready.lock());
        drop(ready);
    }

    /// Creates an instance whether a request needs it or not.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn check_start(&self) -> wasmtime::Result<()> {
        let demanded = self.demand.instance_in_advance();
        self.create(demanded).await.map(drop)
    }

    async fn create(&self, demanded: DemandedInstance) -> wasmtime::Result<RequestInstance> {
        let created = self.try_create(demanded).await;
        self.pool.note_start(&created);
        created
    }

    async fn try_create(&self, demanded: DemandedInstance) -> wasmtime::Result<RequestInstance> {
        let slot = self.pool.acquire_slot_for_request()?;
        let mut store = store(&self.engine, &self.grants)?;
        let service =
            within_start_timeout(&self.grants, self.service.instantiate_async(&mut store)).await?;
        let status = Arc::new(InstanceStatus {
            deadline: Mutex::default(),
            slot,
            in_progress: Mutex::default(),
            was_free: AtomicBool::new(false),
            _demanded: demanded,
            throttle: store.data().cpu_throttle().clone(),
        });
        let bounds = self.pool.bounds();
        Ok(Instance {
            store,
            proxy: service,
            view: WasiHttpView::http,
            expiration: Expiration {
                status: status.clone(),
                timer: Box::pin(tokio::time::sleep(bounds.idle)),
                retirement: Box::pin(self.pool.retirement()),
                room_wanted: Box::pin(self.pool.room_wanted()),
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
            None => self.create(self.demand.instance()?).await,
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
            if !self.status.was_free.swap(true, Ordering::Relaxed) {
                self.status.slot.pool().note_release();
            }
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
        self.status.slot.mark_busy();
        self.status.was_free.store(false, Ordering::Relaxed);
        *self.status.deadline.lock() = Some(deadline);
        *self.status.in_progress.lock() = call.in_progress();
        store.data_mut().begin(call);
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }

    fn drop(&self, store: Store<InstanceState>, result: wasmtime::Result<()>) {
        let component = &*self.component;
        let call = store.data().call();
        if let Some(call) = call.filter(|_| result.is_err()) {
            // Set before the store is dropped, which also closes the body that the guest was sending.
            call.abort_flag.set();
        }
        let trace = call.map(|call| &call.trace);
        let request_id = trace.map(Trace::id).unwrap_or_default();
        let (trace_id, span_id) = (
            trace.and_then(Trace::trace_id),
            trace.and_then(Trace::span_id),
        );
        let late = self
            .status
            .deadline
            .lock()
            .is_some_and(|deadline| deadline <= Instant::now());
        match result {
            Ok(()) => debug!(component, "instance retired"),
            // Dropped without a running call: the host is stopping.
            Err(_) if !self.status.slot.is_busy() => {
                debug!(component, "instance dropped")
            }
            Err(_) if late => warn!(
                component,
                request_id, trace_id, span_id, "instance ended at its deadline"
            ),
            Err(error) => {
                let cause = error.root_cause();
                warn!(component, request_id, trace_id, span_id, error = %cause, "instance failed");
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
        // The expiration is polled only when the guest cannot continue by itself.
        self.status.throttle.pause();
        match worker {
            WorkerStatus::Idle => {
                // The last request has now ended, including all work that it started. The wake-up requests the next one.
                if self.status.slot.mark_idle() {
                    *self.status.in_progress.lock() = CallInProgress::default();
                    cx.waker().wake_by_ref();
                }
                self.idle(cx, since)
            }
            WorkerStatus::Requests | WorkerStatus::PostReturn => {
                let deadline = self.status.deadline.lock().unwrap_or(since) + EXPIRATION_GRACE;
                self.expires_at(cx, deadline)
            }
        }
    }
}

impl Expiration {
    fn idle(&mut self, cx: &mut Context<'_>, since: Instant) -> Poll<()> {
        if self.makes_room(cx) {
            return Poll::Ready(());
        }
        let pool = self.status.slot.pool();
        let retired = pool.is_retired() || self.retirement.as_mut().poll(cx).is_ready();
        let idle_timeout = pool.bounds().idle;
        let until = self.stays_until.max(since + idle_timeout);
        if !retired && self.expires_at(cx, until).is_pending() {
            return Poll::Pending;
        }
        if self.status.slot.try_leave() {
            return Poll::Ready(());
        }
        self.stays_until = Instant::now() + idle_timeout;
        self.expires_at(cx, self.stays_until)
    }

    /// Whether a call of a function or an event waits for this instance to end.
    fn makes_room(&mut self, cx: &mut Context<'_>) -> bool {
        while self.room_wanted.as_mut().poll(cx).is_ready() {
            let pool = self.status.slot.pool();
            if pool.take_wish_for_room() {
                return true;
            }
            self.room_wanted = Box::pin(pool.room_wanted());
        }
        false
    }

    fn expires_at(&mut self, cx: &mut Context<'_>, time: Instant) -> Poll<()> {
        if self.timer.deadline() != time.into() {
            self.timer.as_mut().reset(time.into());
        }
        self.timer.as_mut().poll(cx)
    }
}

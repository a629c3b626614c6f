//! The capabilities of a component: the data of one instance, and the host functions it can call.
//!
//! An instance reaches only what its [`Grants`] name. A host function that needs only memory or a local file runs on
//! the thread of its caller: handing a microsecond of work to another thread costs more than the work.

mod buffered_items;
pub mod guest_output;
pub mod key_value;
pub mod missing_grants;
pub mod outbound_http;
pub mod outbound_redis;
mod published_event;
pub mod sqlite;
mod store_operation;
pub mod unserved;
pub mod variables;
pub mod wasi_key_value;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime::{Engine, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bus::Bus;
use crate::byte_budget::ByteBudget;
use crate::call::Call;
use crate::cpu_throttle::CpuThrottle;
use crate::host_call_timeout::HostCallTimeout;
use crate::store::KeyValue;
use config::manifest::AllowedHosts;
use config::policy::RedisGrants;
use guest_output::{CurrentTrace, GuestOutput, GuestStream};
use missing_grants::MissingGrants;
use outbound_http::{HttpHooks, OutboundHttp};
use outbound_redis::MAX_CONNECTIONS;

/// Generated from `wit/host.wit`.
pub mod bindings {
    #![allow(missing_docs, reason = "generated")]
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "socar:platform/platform",
        imports: {
            "wasi:keyvalue": async | trappable,
            "spin:sqlite": async | trappable,
            default: trappable,
        },
        with: {
            "spin:key-value/key-value.store": crate::capability::key_value::GuestStore,
            "spin:redis/redis.connection": crate::capability::outbound_redis::GuestRedisConnection,
            "spin:sqlite/sqlite.connection": crate::capability::sqlite::GuestSqliteConnection,
            "wasi:keyvalue/store.bucket": crate::capability::key_value::GuestStore,
            "wasi:keyvalue/atomics.cas": crate::capability::wasi_key_value::Cas,
        },
    });
}

/// The most host resources of one instance at the same time: requests, header fields, stores and so on.
const MOST_HANDLES: usize = 10_000;

/// The most calls of functions of other components that one instance makes at the same time.
const MOST_FUNCTION_CALLS: usize = 64;

/// Everything that the manifest grants one component, shared by all its instances.
pub struct Grants {
    /// The component's id.
    pub component: Arc<str>,
    /// Its variables, resolved.
    pub variables: BTreeMap<String, String>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// Directories it may read: host path and guest path.
    pub files: Vec<(PathBuf, String)>,
    /// Its key-value stores by label.
    pub key_value_stores: BTreeMap<String, Arc<dyn KeyValue>>,
    /// Its SQLite databases by label.
    pub databases: BTreeMap<String, Arc<sqlite::database::GuestDatabase>>,
    /// What it requested and was not granted.
    pub missing: Arc<MissingGrants>,
    /// The hosts that it may call.
    pub allowed_hosts: AllowedHosts,
    /// Sends its outgoing HTTP requests.
    pub outbound_http: Arc<dyn OutboundHttp>,
    /// Handles its Redis commands.
    pub redis: Arc<Bus>,
    /// Counts its calls of host functions.
    pub host_calls: Counter,
    /// What it may use of the servers that hold the event log and the key-value stores.
    pub redis_grants: Arc<RedisGrants>,
    /// The largest linear memory, in bytes.
    pub memory: usize,
    /// The timeout of a call, and of a start.
    pub deadline: Duration,
}

/// The data of one instance.
pub struct InstanceState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    http_hooks: HttpHooks,
    grants: Arc<Grants>,
    limits: StoreLimits,
    trace: CurrentTrace,
    redis_connections: Arc<Semaphore>,
    databases: usize,
    byte_budget: ByteBudget,
    throttle: CpuThrottle,
    function_permits: Arc<Semaphore>,
}

/// What a host function sees of an instance.
pub struct View<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) grants: &'a Arc<Grants>,
    pub(crate) call: Option<&'a Call>,
    /// The permits of open Redis connections.
    pub(crate) redis_connections: &'a Arc<Semaphore>,
    /// The number of open database connections.
    pub(crate) databases: &'a mut usize,
    /// The bytes that the host holds for the guest.
    pub(crate) byte_budget: &'a ByteBudget,
}

/// Ties the generated functions to [`View`].
pub struct Capabilities;

impl HasData for Capabilities {
    type Data<'a> = View<'a>;
}

impl View<'_> {
    /// The timeout for the waits of a host call.
    pub(crate) fn host_call_timeout(&self) -> HostCallTimeout {
        HostCallTimeout::of(self.call)
    }
}

/// A linker with every function that a component may import. Its world decides which of them it should import.
///
/// # Errors
/// Only if two functions had the same name.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<InstanceState>> {
    use bindings::spin::{key_value, redis, sqlite, variables};
    use bindings::wasi::keyvalue;
    use wasmtime_wasi_http::{WasiHttp, p3::bindings::http};

    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    http::client::add_to_linker::<_, WasiHttp>(&mut linker, InstanceState::http_of_call)?;
    http::types::add_to_linker::<_, WasiHttp>(&mut linker, InstanceState::http_of_call)?;
    key_value::key_value::add_to_linker::<_, Capabilities>(&mut linker, InstanceState::view)?;
    redis::redis::add_to_linker::<_, Capabilities>(&mut linker, InstanceState::view)?;
    sqlite::sqlite::add_to_linker::<_, Capabilities>(&mut linker, InstanceState::view)?;
    variables::variables::add_to_linker::<_, Capabilities>(&mut linker, InstanceState::view)?;
    keyvalue::store::add_to_linker::<_, Capabilities>(&mut linker, InstanceState::view)?;
    keyvalue::batch::add_to_linker::<_, Capabilities>(&mut linker, InstanceState::view)?;
    keyvalue::atomics::add_to_linker::<_, Capabilities>(&mut linker, InstanceState::view)?;
    Ok(linker)
}

// === impl InstanceState ===

impl InstanceState {
    /// The data of a new instance of a component.
    ///
    /// # Errors
    /// When a granted directory cannot be opened.
    pub fn new(grants: &Arc<Grants>) -> wasmtime::Result<Self> {
        let trace = CurrentTrace::default();
        let output = |kind| GuestOutput::new(grants.component.clone(), kind, trace.clone());
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output(GuestStream::Stdout))
            .stderr(output(GuestStream::Stderr))
            .envs(&grants.environment);
        for (host, guest) in &grants.files {
            wasi.preopened_dir(host, guest, FsPerms::ReadOnly)?;
        }
        // Files are few, small and local: reading one here is faster than waking a thread.
        wasi.allow_blocking_current_thread(true);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_HANDLES);
        Ok(Self {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            table,
            http_hooks: HttpHooks::new(grants.clone()),
            grants: grants.clone(),
            limits: StoreLimitsBuilder::new().memory_size(grants.memory).build(),
            trace,
            redis_connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            databases: 0,
            byte_budget: ByteBudget::new(grants.memory),
            throttle: CpuThrottle::default(),
            function_permits: Arc::new(Semaphore::new(MOST_FUNCTION_CALLS)),
        })
    }

    /// From now on, the instance works on this call.
    pub fn begin(&mut self, call: Call) {
        self.throttle.begin();
        self.trace.set(call.trace.clone());
        self.http_hooks.call = Some(call.for_instance());
    }

    /// Limits the growth of memories and tables.
    pub fn limits(&mut self) -> &mut StoreLimits {
        &mut self.limits
    }

    /// The call that the instance works on.
    pub fn call(&self) -> Option<&Call> {
        self.http_hooks.call.as_ref()
    }

    /// The call on whose behalf the instance calls a function of another component, with a permit to hold until that
    /// call ends. `None` when the instance works on no call, or makes too many at the same time.
    pub fn begin_function_call(&mut self) -> Option<(Call, OwnedSemaphorePermit)> {
        let permit = self.function_permits.clone().try_acquire_owned().ok()?;
        Some((self.call()?.clone(), permit))
    }

    /// Slows down an instance that only computes.
    pub fn cpu_throttle(&self) -> &CpuThrottle {
        &self.throttle
    }

    /// Counts a call of a host function. Each host function, and each drop of a resource of the host, gets the data of the
    /// instance once.
    pub(crate) fn count_host_call(&self) {
        self.grants.host_calls.increment(1);
    }

    fn http_of_call(&mut self) -> WasiHttpCtxView<'_> {
        self.count_host_call();
        self.http()
    }

    fn view(&mut self) -> View<'_> {
        self.count_host_call();
        View {
            table: &mut self.table,
            grants: &self.grants,
            call: self.http_hooks.call.as_ref(),
            redis_connections: &self.redis_connections,
            databases: &mut self.databases,
            byte_budget: &self.byte_budget,
        }
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.count_host_call();
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.http_hooks,
        }
    }
}

//! What the host opens before it loads components: configuration, state directory, runtimes, ports and backends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tracing::warn;

use super::app_config::AppConfig;
use super::state_dir::LockedStateDir;
use crate::admin::{Admin, AdminListener};
use crate::backends::Backends;
use crate::cli::UpOptions;
use crate::compiled_ahead::CompiledAhead;
use crate::component_build;
use crate::descriptors;
use crate::fault_injection::FaultInjector;
use crate::host_lease::HostLease;
use crate::identity::{self, Identity};
use crate::metrics::MetricsRecorder;
use crate::runtimes::DedicatedRuntime;
use crate::trigger::http;

/// The resources of a running host.
pub struct Resources {
    /// The configuration that was read at the start.
    pub config: Arc<AppConfig>,
    /// Held as long as the host runs.
    pub state_dir: LockedStateDir,
    /// Runs connections.
    pub io: DedicatedRuntime,
    /// Runs events.
    pub events: DedicatedRuntime,
    /// The public port.
    pub listener: TcpListener,
    /// Its address.
    pub address: SocketAddr,
    /// Who sends requests; absent on an open platform.
    pub identity: Option<Arc<Identity>>,
    /// The admin listener, still without routes.
    pub admin: Admin,
    /// Its port.
    pub admin_listener: AdminListener,
    /// State and event log.
    pub backends: Backends,
    /// The lease on the name of this host, where hosts share a Redis.
    pub lease: Option<HostLease>,
    /// The metrics of the process.
    pub recorder: MetricsRecorder,
    /// Present if fault injection is allowed.
    pub fault_injector: Option<Arc<FaultInjector>>,
    /// The limit of open files, if the system has told it.
    pub descriptor_limit: Option<usize>,
    /// The directory of compiled code, if the options name one.
    pub cache_dir: Option<PathBuf>,
    /// Code that was compiled ahead, if the options name its directory.
    pub compiled_ahead: Option<CompiledAhead>,
    /// The largest linear memory of any component, in bytes, if options or runtime configuration limit it.
    pub max_memory: Option<usize>,
}

// === impl Resources ===

impl Resources {
    /// Opens everything, and builds the components if the options say so.
    ///
    /// # Errors
    /// When the configuration is wrong, a port is in use, or the state cannot be opened.
    pub async fn open(options: &UpOptions) -> anyhow::Result<Self> {
        let config = AppConfig::read(options.clone()).await?;
        let identity = identity::open(
            &options.identity,
            &config.app.identity,
            options.listen,
            &config.state_dir,
        )?;
        if identity.is_some() {
            config.app.check_identity_verifier()?;
        }
        let admin = Admin::new(&options.admin, identity.clone())?;
        if options.build {
            component_build::build(&config.app).await?;
        }
        config.app.check_sources()?;
        let state_dir = LockedStateDir::open(&config.state_dir)?;
        let (io, events) = (DedicatedRuntime::io()?, DedicatedRuntime::events()?);
        let listener = io.handle().scope(http::bind(options.listen)).await?;
        let admin_listener = AdminListener::bind(&options.admin, &state_dir.path);
        let admin_listener = io.handle().scope(admin_listener).await?;
        let log_address = config.app.redis_address.as_deref();
        let redis_url = options
            .redis_url
            .as_ref()
            .or(config.runtime.redis_url.as_ref());
        let mut backends = Backends::open(
            &state_dir.path,
            log_address,
            redis_url.map(String::as_str),
            &config.runtime,
        )?;
        let lease = HostLease::claim(&mut backends, &state_dir.path).await?;
        let compiled_ahead = options.compiled_dir.clone().map(CompiledAhead::new);
        Ok(Self {
            address: listener.local_addr()?,
            max_memory: options
                .max_instance_memory
                .or(config.runtime.max_instance_memory),
            descriptor_limit: descriptors::raise_limit(),
            cache_dir: options.cache_dir.clone(),
            compiled_ahead: compiled_ahead.transpose()?,
            fault_injector: fault_injector(options),
            recorder: MetricsRecorder::install()?,
            config: Arc::new(config),
            state_dir,
            io,
            events,
            listener,
            identity,
            admin,
            admin_listener,
            backends,
            lease,
        })
    }
}

fn fault_injector(options: &UpOptions) -> Option<Arc<FaultInjector>> {
    let injector = options.chaos.then(Arc::<FaultInjector>::default);
    if injector.is_some() {
        warn!("started with --chaos: the admin listener can inject faults");
    }
    injector
}

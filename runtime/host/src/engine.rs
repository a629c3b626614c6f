//! The Wasmtime engine of a generation: compilation, cache, interruption and memory of its components.
//!
//! Compiled code is kept in Wasmtime's own cache (keyed by content, compiler and settings), so that only the first
//! start after a change compiles. A ticker thread advances the epoch, so that a guest that never calls its host yields
//! every few milliseconds and can be ended at its deadline.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tracing::debug;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, EngineWeak, InstanceAllocationStrategy,
    PoolingAllocationConfig,
};

/// How often a busy guest yields.
pub const TICK: Duration = Duration::from_millis(10);

/// The core instances, tables and stacks of one component instance: the module and its adapters.
const MODULES_PER_INSTANCE: u32 = 6;

/// The capacity for all instances together.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Component instances at the same time, idle ones included.
    pub instances: u32,
    /// The largest linear memory of a component, in bytes.
    pub memory: usize,
}

/// Creates the engine and starts its ticker thread.
///
/// # Errors
/// When the processor is not supported.
pub fn start(limits: PoolLimits, cache: &Cache) -> anyhow::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    config.cache(Some(cache.clone()));

    let engine = pooled(&config, limits).or_else(|error| {
        // A container may forbid the address space that a pool reserves; instances are then allocated one by one.
        debug!(%error, "no instance pool, allocating on demand");
        Engine::new(&config)
    });
    let engine = engine
        .map_err(anyhow::Error::from)
        .context("cannot start the Wasm engine")?;
    start_ticker(engine.weak())?;
    Ok(engine)
}

/// Opens the cache directory of the compiled code.
///
/// # Errors
/// When the directory cannot be used.
pub fn open_cache(directory: &Path) -> anyhow::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(directory);
    Cache::new(config)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("cannot keep compiled components in {}", directory.display()))
}

fn pooled(config: &Config, limits: PoolLimits) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.instances)
        .total_core_instances(limits.instances * MODULES_PER_INSTANCE)
        .total_memories(limits.instances)
        .total_tables(limits.instances * MODULES_PER_INSTANCE)
        .total_stacks(limits.instances * 2)
        .max_memory_size(limits.memory)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .max_tables_per_module(MODULES_PER_INSTANCE)
        .max_unused_warm_slots(limits.instances.min(32));
    let mut config = config.clone();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// The thread ends when the last engine handle is dropped.
fn start_ticker(engine: EngineWeak) -> anyhow::Result<()> {
    std::thread::Builder::new()
        .name("epoch".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .context("cannot start the epoch thread")?;
    Ok(())
}

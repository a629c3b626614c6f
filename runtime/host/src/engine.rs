//! The Wasmtime engine: interruption and memory of the components.
//!
//! One engine serves all generations of the application, because each has a pool of instances that reserves terabytes of
//! address space and thousands of mappings. A generation that needs more than the pool holds gets a new engine; the
//! number of engines that exist at the same time is bounded. A ticker thread advances the epoch, so that a guest that
//! never calls its host yields every few milliseconds and can be ended at its deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tracing::{debug, warn};
use wasmtime::{Config, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a busy guest yields. A call that waits now and then queues behind every busy guest after each wait, so that
/// with ten milliseconds eight readers of long lists delayed a reservation by seconds. A yield costs microseconds.
pub const TICK: Duration = Duration::from_millis(2);

/// The time to the first tick when no guest was busy at the last one: an idle process wakes up less often.
const IDLE_TICK: Duration = Duration::from_millis(10);

/// Whether a guest yielded since the last tick.
static HAS_BUSY_GUEST: AtomicBool = AtomicBool::new(false);

/// The core instances, tables and stacks of one component instance: the module and its adapters.
const MODULES_PER_INSTANCE: u32 = 6;

/// The number of engines at the same time: the present one, and those whose last calls have not ended yet.
const MAX_ENGINES: usize = 4;

/// The pool has room for this many times the instances of a generation: those of the previous one finish their calls
/// beside them, and a later version may have a few more.
const POOL_HEADROOM: u32 = 2;

/// The address space behind each memory in which an access is a trap, when instances are allocated one by one. It
/// saves few bounds checks, and there is little address space then.
const SMALL_GUARD: u64 = 64 << 10;

/// The capacity for all instances together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Component instances at the same time, idle ones included.
    pub instances: u32,
    /// The largest linear memory of a component, in bytes.
    pub memory: usize,
}

/// The engines of this process.
#[derive(Default)]
pub struct Engines {
    current: Option<(SharedEngine, PoolLimits)>,
    /// All engines that may still exist.
    all: Vec<EngineWeak>,
}

/// An engine, and the settings with which its code is compiled.
#[derive(Clone)]
pub struct SharedEngine {
    /// Runs components.
    pub engine: Engine,
    compilation: Config,
}

// === impl SharedEngine ===

impl SharedEngine {
    /// Creates an engine that only compiles: an engine that has compiled keeps the working memory of the compiler, which
    /// is more than all other memory of the process.
    ///
    /// # Errors
    /// When the processor is not supported.
    pub fn compiler(&self) -> anyhow::Result<Engine> {
        Engine::new(&self.compilation)
            .map_err(anyhow::Error::from)
            .context("cannot start the Wasm compiler")
    }
}

// === impl Engines ===

impl Engines {
    /// Returns the engine of the present generation if its pool is large enough, or else a new one.
    ///
    /// # Errors
    /// When the processor is not supported, or too many replaced engines still serve calls.
    pub fn engine_for(&mut self, needed: PoolLimits) -> anyhow::Result<SharedEngine> {
        if let Some((engine, limits)) = &self.current
            && limits.contain(needed)
        {
            return Ok(engine.clone());
        }
        self.all.retain(|engine| engine.upgrade().is_some());
        ensure!(
            self.all.len() < MAX_ENGINES,
            "{} replaced versions of the application still finish their calls, each with an instance pool of its own: \
             try again when they have ended",
            self.all.len() - 1
        );
        let (engine, limits) = start(needed)?;
        start_ticker(engine.engine.weak())?;
        self.all.push(engine.engine.weak());
        self.current = Some((engine.clone(), limits));
        Ok(engine)
    }
}

// === impl PoolLimits ===

impl PoolLimits {
    /// Whether a pool with these limits has room for `needed`.
    fn contain(self, needed: Self) -> bool {
        self.instances >= needed.instances && self.memory >= needed.memory
    }

    fn with_headroom(self) -> Self {
        let instances = self.instances.saturating_mul(POOL_HEADROOM);
        Self { instances, ..self }
    }
}

/// Creates an engine, and returns the limits of its pool.
fn start(needed: PoolLimits) -> anyhow::Result<(SharedEngine, PoolLimits)> {
    let compilation = common_config();
    for limits in [needed.with_headroom(), needed] {
        match pooled(&compilation, limits) {
            Ok(engine) => {
                let engine = SharedEngine {
                    engine,
                    compilation,
                };
                return Ok((engine, limits));
            }
            Err(error) => debug!(%error, ?limits, "no instance pool of this size"),
        }
    }
    // A container may forbid the address space that a pool reserves.
    warn!("little address space: instances are allocated one by one");
    let compilation = on_demand_config(needed);
    let engine = Engine::new(&compilation)
        .map_err(anyhow::Error::from)
        .context("cannot start the Wasm engine")?;
    let engine = SharedEngine {
        engine,
        compilation,
    };
    let limits = PoolLimits {
        instances: u32::MAX,
        ..needed
    };
    Ok((engine, limits))
}

/// Creates an engine that compiles for every processor of this architecture. The code runs in every engine of this
/// version that has an instance pool.
///
/// # Errors
/// When the architecture is not supported.
pub fn portable_compiler() -> anyhow::Result<Engine> {
    let mut config = common_config();
    // A named target has the features of its oldest processors, those of this machine are not looked at.
    let system = if cfg!(target_os = "macos") {
        "apple-darwin"
    } else {
        "unknown-linux-gnu"
    };
    // The map from machine code to offsets in a component takes a tenth of the code, and only backtraces of traps show it.
    config.generate_address_map(false);
    let compiler = config
        .target(&format!("{}-{system}", std::env::consts::ARCH))
        .and_then(|config| Engine::new(config));
    compiler
        .map_err(anyhow::Error::from)
        .context("cannot start the Wasm compiler")
}

fn common_config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    config
}

/// The settings without a pool: a memory reserves what the policies allow it, instead of four gibibytes.
fn on_demand_config(limits: PoolLimits) -> Config {
    let mut config = common_config();
    config
        .memory_reservation(limits.memory as u64)
        .memory_reservation_for_growth(0)
        .memory_guard_size(SMALL_GUARD);
    config
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

/// Notes that a guest yielded at a tick, so that the next tick follows soon.
pub fn note_busy_guest() {
    HAS_BUSY_GUEST.store(true, Ordering::Relaxed);
}

/// The thread ends when the last engine handle is dropped.
fn start_ticker(engine: EngineWeak) -> anyhow::Result<()> {
    std::thread::Builder::new()
        .name("epoch".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(match HAS_BUSY_GUEST.swap(false, Ordering::Relaxed) {
                    true => TICK,
                    false => IDLE_TICK,
                });
            }
        })
        .context("cannot start the epoch thread")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(instances: u32, memory: usize) -> PoolLimits {
        PoolLimits { instances, memory }
    }

    #[test]
    fn generations_share_an_engine_until_one_needs_more() {
        let mut engines = Engines::default();
        let first = engines.engine_for(limits(4, 1 << 20)).unwrap().engine;
        for needed in [limits(4, 1 << 20), limits(8, 1 << 16)] {
            let next = engines.engine_for(needed).unwrap().engine;
            assert!(Engine::same(&first, &next), "{needed:?}");
        }
        let larger = engines.engine_for(limits(4, 1 << 21)).unwrap().engine;
        assert!(!Engine::same(&first, &larger));
    }

    #[test]
    fn the_number_of_engines_in_use_is_bounded() {
        let mut engines = Engines::default();
        let mut used = Vec::new();
        for number in 0..MAX_ENGINES {
            used.push(engines.engine_for(limits(1, 1 << (17 + number))).unwrap());
        }
        let needed = limits(1, 1 << 24);
        let refused = engines.engine_for(needed).err().unwrap().to_string();
        assert!(refused.contains("try again"), "{refused}");
        used.clear();
        assert!(engines.engine_for(needed).is_ok());
    }
}

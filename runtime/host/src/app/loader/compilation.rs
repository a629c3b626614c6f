//! Compiled code of the components: kept from the previous generation, compiled ahead, read from the cache, or compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow};
use tracing::{info, warn};
use wasmtime::Engine;
use wasmtime::component::Component as Code;

use crate::code_cache::{CodeCache, CodeKey};
use crate::compiled_ahead::CompiledAhead;
use crate::engine::{Engines, PoolLimits, SharedEngine};
use crate::memory;
use config::manifest::Component;

/// Provides the compiled code of each generation.
pub struct Compilation {
    engines: Engines,
    ahead: Option<CompiledAhead>,
    cache: CodeCache,
    /// The code of the last generation and its engine: most versions change few components.
    last: Option<(Engine, BTreeMap<CodeKey, Code>)>,
}

/// The compiled components, by the path of their file.
pub struct Codes(BTreeMap<PathBuf, Code>);

/// Compiles for one generation, at the first component that is not in the cache.
struct Compiler<'a> {
    target: &'a SharedEngine,
    engine: OnceLock<Result<Engine, String>>,
}

// === impl Compilation ===

impl Compilation {
    /// Uses the code that was compiled ahead, and keeps what it compiles itself in the directory `cache`.
    pub fn new(ahead: Option<CompiledAhead>, cache: PathBuf) -> Self {
        Self {
            engines: Engines::default(),
            ahead,
            cache: CodeCache::new(cache),
            last: None,
        }
    }

    /// Returns the engine and the code of every component.
    ///
    /// # Errors
    /// When a file cannot be read or is no component, or the engine cannot be started.
    pub fn load(
        &mut self,
        components: &[&Component],
        limits: PoolLimits,
    ) -> anyhow::Result<(Engine, Codes)> {
        let shared = self.engines.engine_for(limits)?;
        let engine = shared.engine.clone();
        let kept = self.last.take();
        let kept = kept.filter(|(last, _)| Engine::same(last, &engine));
        let kept = kept.map(|(_, codes)| codes).unwrap_or_default();
        let compiler = Compiler {
            target: &shared,
            engine: OnceLock::new(),
        };
        let loaded = self.load_all(components, &kept, &compiler)?;
        if compiler.engine.get().is_some() {
            drop(compiler);
            memory::give_back();
            memory::give_back_program_code();
        }
        let used = loaded.values();
        let used: BTreeMap<_, _> = used
            .map(|(key, code)| (key.clone(), code.clone()))
            .collect();
        let keys: BTreeSet<CodeKey> = used.keys().cloned().collect();
        self.cache.prune(&keys);
        self.last = Some((engine.clone(), used));
        let codes = loaded.into_iter().map(|(source, (_, code))| (source, code));
        Ok((engine, Codes(codes.collect())))
    }

    /// Loads each file once, in parallel: a first start spends most of its time in the compiler.
    fn load_all(
        &self,
        components: &[&Component],
        kept: &BTreeMap<CodeKey, Code>,
        compiler: &Compiler<'_>,
    ) -> anyhow::Result<BTreeMap<PathBuf, (CodeKey, Code)>> {
        let components = components.iter().copied();
        let by_source: BTreeMap<&Path, &Component> = components
            .map(|component| (component.source.as_path(), component))
            .collect();
        std::thread::scope(|scope| {
            let loads: Vec<_> = by_source
                .into_iter()
                .map(|(source, component)| {
                    let load = move || self.load_one(component, kept, compiler);
                    (
                        source,
                        std::thread::Builder::new().spawn_scoped(scope, load),
                    )
                })
                .collect();
            loads
                .into_iter()
                .map(|(source, load)| {
                    let load = load.context("the system allows no more threads")?;
                    let loaded = load
                        .join()
                        .map_err(|_| anyhow!("the compiler panicked"))??;
                    Ok((source.to_path_buf(), loaded))
                })
                .collect()
        })
    }

    fn load_one(
        &self,
        component: &Component,
        kept: &BTreeMap<CodeKey, Code>,
        compiler: &Compiler<'_>,
    ) -> anyhow::Result<(CodeKey, Code)> {
        let (id, source) = (&component.id, component.source.display());
        let wasm = std::fs::read(&component.source)
            .with_context(|| format!("component `{id}`: cannot read {source}"))?;
        let engine = &compiler.target.engine;
        let key = CodeKey::new(&wasm, engine);
        if let Some(code) = kept.get(&key) {
            return Ok((key, code.clone()));
        }
        if let Some(code) = self.load_ahead(id.as_str(), &wasm, engine) {
            return Ok((key, code));
        }
        let code = match self.cache.read(&key) {
            Some(code) => code,
            None => {
                // The first start takes seconds; later ones read the cache.
                info!(component = %id, "compiling");
                let compiled = compiler.compile(&wasm).with_context(|| {
                    format!("component `{id}`: {source} is no component that can be run here")
                })?;
                self.cache.write(&key, &compiled);
                compiled
            }
        };
        Ok((key, deserialize(engine, &code)?))
    }

    fn load_ahead(&self, component: &str, wasm: &[u8], engine: &Engine) -> Option<Code> {
        let code = self.ahead.as_ref()?.read(wasm)?;
        let loaded = deserialize(engine, &code);
        // An engine without an instance pool has other settings.
        let refused = |error: &anyhow::Error| {
            let error = format!("{error:#}");
            warn!(
                component,
                error, "code that was compiled ahead does not run here: it is compiled again"
            );
        };
        loaded.inspect_err(refused).ok()
    }
}

// === impl Codes ===

impl Codes {
    /// The code of a component.
    ///
    /// # Errors
    /// When the component was not compiled.
    pub fn of(&self, component: &Component) -> anyhow::Result<&Code> {
        let code = self.0.get(&component.source);
        code.with_context(|| format!("component `{}` is not compiled", component.id))
    }
}

// === impl Compiler ===

impl Compiler<'_> {
    fn compile(&self, wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
        let engine = self.engine.get_or_init(|| {
            let engine = self.target.compiler();
            engine.map_err(|error| format!("{error:#}"))
        });
        let engine = engine.as_ref().map_err(|error| anyhow!("{error}"))?;
        Ok(engine.precompile_component(wasm)?)
    }
}

#[expect(unsafe_code, reason = "machine code is executed as it is")]
fn deserialize(engine: &Engine, code: &[u8]) -> anyhow::Result<Code> {
    // SAFETY: the compiler of this process made the code, or an earlier process did and its digest was checked. The
    // engine refuses code for other settings or processors.
    Ok(unsafe { Code::deserialize(engine, code) }?)
}

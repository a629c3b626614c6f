//! Compilation: the code of all components of an application, and the engine that runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wasmtime::Engine;
use wasmtime::component::Component as Code;

use crate::engine::{self, PoolLimits};
use crate::memory;
use config::manifest::Component;

/// The compiled components, by the path of their file.
pub struct Codes(BTreeMap<PathBuf, Code>);

// === impl Codes ===

impl Codes {
    /// Compiles the components, or loads them from the cache in the state directory.
    ///
    /// An engine that has compiled keeps the working memory of the compiler, which is more than all other memory of the
    /// process. Components that are not in the cache are therefore compiled by a temporary engine, and loaded by a new
    /// one.
    ///
    /// # Errors
    /// When a file is not a component, or the engine does not start.
    pub fn compile(
        components: &[&Component],
        limits: PoolLimits,
        state_dir: &Path,
    ) -> anyhow::Result<(Engine, Self)> {
        let cache = engine::open_cache(&state_dir.join("cache"))?;
        let engine = engine::start(limits, &cache)?;
        let codes = Self::compile_with(&engine, components)?;
        if cache.cache_misses() == 0 {
            return Ok((engine, codes));
        }
        drop((engine, codes));
        memory::give_back();
        let engine = engine::start(limits, &cache)?;
        let codes = Self::compile_with(&engine, components)?;
        Ok((engine, codes))
    }

    /// The code of a component.
    ///
    /// # Errors
    /// When the component was not compiled.
    pub fn of(&self, component: &Component) -> anyhow::Result<&Code> {
        let code = self.0.get(&component.source);
        code.with_context(|| format!("component `{}` is not compiled", component.id))
    }

    /// Compiles the components in parallel: a first start spends most of its time in the compiler.
    fn compile_with(engine: &Engine, components: &[&Component]) -> anyhow::Result<Self> {
        let by_source: BTreeMap<&Path, &Component> = components
            .iter()
            .map(|component| (component.source.as_path(), *component))
            .collect();
        std::thread::scope(|scope| {
            let compilations: Vec<_> = by_source
                .keys()
                .copied()
                .map(|source| scope.spawn(move || Code::from_file(engine, source)))
                .collect();
            let compiled = by_source.iter().zip(compilations);
            let compiled = compiled.map(|((source, component), compilation)| {
                let code = compilation
                    .join()
                    .map_err(|_| anyhow::anyhow!("the compiler panicked"))?;
                let code = code.map_err(anyhow::Error::from).with_context(|| {
                    format!(
                        "component `{}`: {} is no component that can be run here",
                        component.id,
                        source.display()
                    )
                })?;
                Ok((source.to_path_buf(), code))
            });
            Ok(Self(compiled.collect::<anyhow::Result<_>>()?))
        })
    }
}

//! Code that `socar compile` made, for a start that compiles nothing.
//!
//! The directory has the format of the code cache, so that damaged code counts as missing. Its entries are named by the
//! settings of the portable compiler: an image is built on one machine and runs on others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wasmtime::Engine;

use crate::code_cache::{CodeCache, CodeKey};
use crate::engine;
use config::manifest::App;

/// A directory of code for every processor of this architecture.
#[derive(Clone)]
pub struct CompiledAhead {
    compiler: Engine,
    entries: CodeCache,
}

/// A component that was compiled.
#[derive(Debug, PartialEq, Eq)]
pub struct CompiledComponent {
    /// The id of the component. Of several components of one file, the first one.
    pub id: String,
    /// The length of its code in bytes.
    pub length: usize,
}

// === impl CompiledAhead ===

impl CompiledAhead {
    /// The code in this directory.
    ///
    /// # Errors
    /// When the architecture is not supported.
    pub fn new(directory: PathBuf) -> anyhow::Result<Self> {
        Ok(Self {
            compiler: engine::portable_compiler()?,
            entries: CodeCache::new(directory),
        })
    }

    /// Returns the code of a component; `None` when it was not compiled ahead, or is damaged.
    pub fn read(&self, wasm: &[u8]) -> Option<Vec<u8>> {
        self.entries.read(&CodeKey::new(wasm, &self.compiler))
    }

    /// Compiles every component of the application, and every adapter that it may need.
    ///
    /// # Errors
    /// When a file cannot be read or is no component, or the directory cannot be written.
    pub fn compile(&self, app: &App) -> anyhow::Result<Vec<CompiledComponent>> {
        let sources = app.linked_sources();
        let mut ids: BTreeMap<&Path, &str> = BTreeMap::new();
        for component in sources {
            ids.entry(&component.source)
                .or_insert(component.id.as_str());
        }
        let compiled = ids
            .into_iter()
            .map(|(source, id)| self.compile_one(source, id));
        compiled.collect()
    }

    fn compile_one(&self, source: &Path, id: &str) -> anyhow::Result<CompiledComponent> {
        let shown = source.display();
        let wasm = std::fs::read(source)
            .with_context(|| format!("component `{id}`: cannot read {shown}"))?;
        let code = self
            .compiler
            .precompile_component(&wasm)
            .map_err(anyhow::Error::from);
        let code = code.with_context(|| {
            format!("component `{id}`: {shown} is no component that can be run here")
        })?;
        let written = self
            .entries
            .try_write(&CodeKey::new(&wasm, &self.compiler), &code);
        written
            .context("cannot write the compiled code: choose another directory with --output")?;
        Ok(CompiledComponent {
            id: id.to_owned(),
            length: code.len(),
        })
    }
}
